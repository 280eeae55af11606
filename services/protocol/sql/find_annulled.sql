-- $1 the reference of a practice: the person of what was registered for it and annulled; no row while a valid one stands
SELECT json_build_object('personId', max(r.subject_id::text))
FROM registrations r
WHERE r.tenant_id = app_tenant() AND r.reference_id = ($1::jsonb ->> 'id')::uuid AND r.reference_kind = $1::jsonb ->> 'kind'
	AND r.reference_purpose = $1::jsonb ->> 'purpose'
HAVING bool_and(r.annulled_at IS NOT NULL)
