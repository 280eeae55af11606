-- $1 direction, $2 aoo, $3 year, $4 number, $5 words, $6 reference id, $7 limit, $8 after
WITH page AS (
	SELECT r.*, row_number() OVER (ORDER BY r.id DESC) AS place
	FROM registrations r
	WHERE r.tenant_id = app_tenant()
		AND ($1::text IS NULL OR r.direction = $1)
		AND ($2::text IS NULL OR r.aoo = $2)
		AND ($3::int IS NULL OR r.year = $3::int)
		AND ($4::int IS NULL OR r.number = $4::int)
		AND ($5::text IS NULL OR to_tsvector('italian', r.object) @@ plainto_tsquery('italian', $5)
			OR r.object ILIKE '%' || replace(replace(replace($5, '\', '\\'), '%', '\%'), '_', '\_') || '%')
		AND ($6::uuid IS NULL OR r.reference_id = $6::uuid)
		AND ($8::uuid IS NULL OR r.id < $8::uuid)
	ORDER BY r.id DESC
	LIMIT $7::int + 1
)
SELECT json_strip_nulls(json_build_object(
	'items', (SELECT coalesce(json_agg(registration_json(r) ORDER BY r.id DESC), '[]') FROM registrations r
		WHERE r.tenant_id = app_tenant() AND r.id IN (SELECT id FROM page WHERE place <= $7::int)),
	'next', CASE WHEN (SELECT count(*) FROM page) > $7::int THEN (SELECT id FROM page WHERE place = $7::int) END))
