-- $1: limit, $2: after.
WITH page AS (
	SELECT o, row_number() OVER (ORDER BY o.id DESC) AS place
	FROM operators o WHERE o.tenant_id = app_tenant() AND ($2::uuid IS NULL OR o.id < $2::uuid)
	ORDER BY o.id DESC LIMIT $1::int + 1
)
SELECT json_strip_nulls(json_build_object(
	'items', coalesce(json_agg(operator_json(o) ORDER BY place) FILTER (WHERE place <= $1::int), '[]'),
	'next', (SELECT (p.o).id FROM page p WHERE p.place = $1::int AND EXISTS (SELECT FROM page WHERE place > $1::int))))
FROM page
