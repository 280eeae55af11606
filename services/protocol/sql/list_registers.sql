SELECT json_build_object('items', coalesce(json_agg(json_build_object('aoo', a.code, 'name', a.name, 'register', a.register_code,
	'year', this.year, 'lastNumber', coalesce(r.last_number, 0)) ORDER BY a.code), '[]'))
FROM aoos a
CROSS JOIN (SELECT extract(year FROM now() AT TIME ZONE 'Europe/Rome')::int AS year) this
LEFT JOIN registers r ON r.tenant_id = a.tenant_id AND r.aoo = a.code AND r.register_code = a.register_code AND r.year = this.year
WHERE a.tenant_id = app_tenant()
