select json_build_object('retentionDays', coalesce((select retention_days from feed_tenants where tenant_id = app_tenant()), 30))
