-- $1 registration, $2 body, $3 who
WITH annulled AS (
	UPDATE registrations r SET annulled_at = clock_timestamp(), annulled_by = $3, annulment_reason = $2::jsonb ->> 'reason',
		annulment_act = $2::jsonb ->> 'act'
	WHERE r.id = $1::uuid AND r.tenant_id = app_tenant()
	RETURNING r.*
), event AS (
	SELECT emit_event(a.tenant_id, 'registration.annulled', a.id, a.subject_id, jsonb_strip_nulls(jsonb_build_object(
		'registrationId', a.id, 'direction', a.direction, 'reference', CASE WHEN a.reference_id IS NOT NULL THEN jsonb_build_object(
			'kind', a.reference_kind, 'id', a.reference_id, 'purpose', a.reference_purpose) END)))
	FROM annulled a
)
SELECT registration_json(a::registrations) FROM annulled a, event
