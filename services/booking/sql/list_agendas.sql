-- $1 tenant, $2 office, $3 service, $4 limit, $5 after
WITH page AS (
	SELECT a.id FROM agendas a
	WHERE ($1::text IS NULL OR a.tenant_id = $1) AND ($2::uuid IS NULL OR a.office_id = $2::uuid)
		AND ($3::text IS NULL OR $3 = ANY (a.services)) AND ($5::uuid IS NULL OR a.id > $5::uuid)
	ORDER BY a.id LIMIT $4::int + 1
), shown AS (
	SELECT id FROM page ORDER BY id LIMIT $4::int
)
SELECT json_strip_nulls(json_build_object(
	'items', (SELECT coalesce(json_agg(agenda_json(a) ORDER BY a.id), '[]') FROM agendas a JOIN shown USING (id)),
	'next', CASE WHEN (SELECT count(*) FROM page) > $4::int THEN (SELECT max(id::text) FROM shown) END))
