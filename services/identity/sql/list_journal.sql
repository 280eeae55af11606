-- $1: limit, $2: after. Whose it is, row security says.
WITH page AS (
	SELECT e, row_number() OVER (ORDER BY e.id DESC) AS place
	FROM security_events e
	WHERE e.subject_id = app_subject() AND ($2::uuid IS NULL OR e.id < $2::uuid)
	ORDER BY e.id DESC LIMIT $1::int + 1
)
SELECT json_strip_nulls(json_build_object(
	'items', coalesce(json_agg(json_build_object('id', (e).id, 'at', to_utc((e).at), 'kind', (e).kind, 'text', journal_text(e),
		'tenant', (e).tenant_id, 'actor', (e).actor_id, 'session', (e).session_id) ORDER BY place) FILTER (WHERE place <= $1::int), '[]'),
	'next', (SELECT (p.e).id FROM page p WHERE p.place = $1::int AND EXISTS (SELECT FROM page WHERE place > $1::int))))
FROM page
