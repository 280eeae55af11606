SELECT jsonb_build_object('agendas', (SELECT coalesce(json_agg(agenda_json(a) ORDER BY a.id), '[]') FROM agendas a
	WHERE a.tenant_id = o.tenant_id AND a.office_id = o.id)) || office_json(o)::jsonb
FROM offices o WHERE o.id = $1::uuid
