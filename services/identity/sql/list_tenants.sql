-- $1: limit, $2: after.
WITH page AS (
	SELECT t, row_number() OVER (ORDER BY t.tenant_id) AS place
	FROM tenants t WHERE $2::text IS NULL OR t.tenant_id > $2
	ORDER BY t.tenant_id LIMIT $1::int + 1
)
SELECT json_strip_nulls(json_build_object(
	'items', coalesce(json_agg(tenant_json(t) ORDER BY place) FILTER (WHERE place <= $1::int), '[]'),
	'next', (SELECT (p.t).tenant_id FROM page p WHERE p.place = $1::int AND EXISTS (SELECT FROM page WHERE place > $1::int))))
FROM page
