-- $1 the registration as the contract has it, $2 who makes it, $3 the person it concerns (may be null)
WITH wanted AS (
	SELECT $1::jsonb AS body, a.tenant_id, a.code, a.register_code, n.*
	FROM aoo_for($1::jsonb ->> 'aoo') a, next_number(a) n
), created AS (
	INSERT INTO registrations (tenant_id, aoo, register_code, year, number, registered_at, direction, object, sender, recipients,
		classification, documents, reference_kind, reference_id, reference_purpose, subject_id, created_by)
	SELECT tenant_id, code, register_code, year, number, given_at, body ->> 'direction', body ->> 'object', body -> 'sender',
		coalesce(body -> 'recipients', '[]'), body ->> 'classification', body -> 'documents', body #>> '{reference,kind}',
		(body #>> '{reference,id}')::uuid, CASE WHEN body ? 'reference' THEN coalesce(body #>> '{reference,purpose}', 'other') END,
		$3::uuid, $2
	FROM wanted
	RETURNING *
), event AS (
	SELECT emit_event(c.tenant_id, 'registration.created', c.id, c.subject_id, jsonb_strip_nulls(jsonb_build_object(
		'registrationId', c.id, 'direction', c.direction, 'reference', CASE WHEN c.reference_id IS NOT NULL THEN jsonb_build_object(
			'kind', c.reference_kind, 'id', c.reference_id, 'purpose', c.reference_purpose) END)))
	FROM created c
)
SELECT registration_json(c::registrations), '/protocol/v1/registrations/' || c.id AS location FROM created c, event
