-- $1 tenant, $2 limit, $3 after
WITH page AS (
	SELECT o.id FROM offices o
	WHERE ($1::text IS NULL OR o.tenant_id = $1) AND ($3::uuid IS NULL OR o.id > $3::uuid)
	ORDER BY o.id LIMIT $2::int + 1
), shown AS (
	SELECT id FROM page ORDER BY id LIMIT $2::int
)
SELECT json_strip_nulls(json_build_object(
	'items', (SELECT coalesce(json_agg(office_json(o) ORDER BY o.id), '[]') FROM offices o JOIN shown USING (id)),
	'next', CASE WHEN (SELECT count(*) FROM page) > $2::int THEN (SELECT max(id::text) FROM shown) END))
