-- $1: the merge patch, $2: If-Match.
WITH changed AS (
	UPDATE persons p SET
		email = CASE WHEN $1::jsonb -> 'contacts' ? 'email' THEN $1::jsonb #>> '{contacts,email}' ELSE p.email END,
		mobile_phone = CASE WHEN $1::jsonb -> 'contacts' ? 'mobilePhone' THEN $1::jsonb #>> '{contacts,mobilePhone}'
			ELSE p.mobile_phone END,
		contacts_own = true, version = p.version + 1, updated_at = now()
	FROM (SELECT id, version FROM persons WHERE id = app_subject() FOR UPDATE) held
	WHERE p.id = held.id AND require_version(held.version, $2)
	RETURNING p AS person
)
SELECT person_json(person), format('"%s"', (person).version) AS etag,
	emit_event(NULL, 'person.updated', (person).id, (person).id, '{"changed": ["contacts"]}') AS event
FROM changed
