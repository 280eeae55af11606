-- $1 the registration as the contract has it, $2 who makes it, $3 the person it concerns (may be null)
WITH wanted AS (
	SELECT $1::jsonb AS body, a.* FROM aoo_for($1::jsonb ->> 'aoo') a
), numbered AS (
	INSERT INTO registers AS r (tenant_id, aoo, register_code, year, last_number)
	SELECT tenant_id, code, register_code, extract(year FROM clock_timestamp() AT TIME ZONE 'Europe/Rome')::int, 1 FROM wanted
	ON CONFLICT (tenant_id, aoo, register_code, year) DO UPDATE SET last_number = r.last_number + 1
	RETURNING r.*
), created AS (
	INSERT INTO registrations (tenant_id, aoo, register_code, year, number, direction, object, sender, recipients, classification,
		documents, reference_kind, reference_id, reference_purpose, subject_id, created_by)
	SELECT n.tenant_id, n.aoo, n.register_code, n.year, n.last_number, body ->> 'direction', body ->> 'object', body -> 'sender',
		coalesce(body -> 'recipients', '[]'), body ->> 'classification', body -> 'documents', body #>> '{reference,kind}',
		(body #>> '{reference,id}')::uuid, CASE WHEN body ? 'reference' THEN coalesce(body #>> '{reference,purpose}', 'other') END,
		$3::uuid, $2
	FROM numbered n, wanted
	RETURNING *
), event AS (
	SELECT emit_event(c.tenant_id, 'registration.created', c.id, c.subject_id, jsonb_strip_nulls(jsonb_build_object(
		'registrationId', c.id, 'direction', c.direction, 'reference', CASE WHEN c.reference_id IS NOT NULL THEN jsonb_build_object(
			'kind', c.reference_kind, 'id', c.reference_id, 'purpose', c.reference_purpose) END)))
	FROM created c
)
SELECT registration_json(c::registrations), '/protocol/v1/registrations/' || c.id AS location FROM created c, event
