SELECT tenant_json(t) FROM tenants t WHERE t.tenant_id = $1
