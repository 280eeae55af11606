-- $1: the delegation, $2: the merge patch. The grantor's alone.
UPDATE delegations d SET
	scopes = CASE WHEN $2::jsonb ? 'scopes' THEN ARRAY(SELECT jsonb_array_elements_text($2::jsonb -> 'scopes')) ELSE d.scopes END,
	ends_on = coalesce(($2::jsonb ->> 'endsOn')::date, d.ends_on)
WHERE d.id = $1::uuid AND d.grantor_id = app_subject() AND d.ended_at IS NULL
	AND require_end(coalesce(($2::jsonb ->> 'endsOn')::date, italian_day()))
RETURNING delegation_json(d)
