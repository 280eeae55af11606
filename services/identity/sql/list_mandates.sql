-- $1: limit, $2: after. Whose they are, row security says: the office's, or the person's own.
WITH page AS (
	SELECT m, row_number() OVER (ORDER BY m.id DESC) AS place
	FROM mandates m
	WHERE (m.tenant_id = app_tenant() OR m.person_id = app_subject()) AND ($2::uuid IS NULL OR m.id < $2::uuid)
	ORDER BY m.id DESC LIMIT $1::int + 1
)
SELECT json_strip_nulls(json_build_object(
	'items', coalesce(json_agg(mandate_json(m) ORDER BY place) FILTER (WHERE place <= $1::int), '[]'),
	'next', (SELECT (p.m).id FROM page p WHERE p.place = $1::int AND EXISTS (SELECT FROM page WHERE place > $1::int))))
FROM page
