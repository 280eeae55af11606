SELECT registration_json(r) FROM registrations r WHERE r.id = $1::uuid AND r.tenant_id = app_tenant()
