insert into feed_tenants (tenant_id, retention_days) values (app_tenant(), ($1::jsonb ->> 'retentionDays')::int)
on conflict (tenant_id) do update set retention_days = excluded.retention_days
returning json_build_object('retentionDays', retention_days)
