-- A citizen's own. $1 tenant, $2 office, $3 state, $4 from, $5 limit, $6 after: "START~ID"
WITH page AS (
	SELECT a.id, a.starts_at
	FROM appointments a
	WHERE a.subject_id = app_subject()
		AND ($1::text IS NULL OR a.tenant_id = $1)
		AND ($2::uuid IS NULL OR a.agenda_id IN (SELECT g.id FROM agendas g WHERE g.office_id = $2::uuid))
		AND ($3::text IS NULL OR CASE WHEN a.state = 'held' AND a.held_until <= now() THEN 'expired' ELSE a.state END = $3)
		AND a.starts_at >= coalesce($4::timestamptz, now())
		AND ($6::text IS NULL OR (a.starts_at, a.id)
			> (to_timestamp(split_part($6, '~', 1)::bigint), split_part($6, '~', 2)::uuid))
	ORDER BY a.starts_at, a.id
	LIMIT $5::int + 1
), shown AS (
	SELECT * FROM page ORDER BY starts_at, id LIMIT $5::int
)
SELECT json_strip_nulls(json_build_object(
	'items', (SELECT coalesce(json_agg(appointment_json(a) ORDER BY a.starts_at, a.id), '[]')
		FROM appointments a JOIN shown USING (id)),
	'next', CASE WHEN (SELECT count(*) FROM page) > $5::int THEN
		(SELECT extract(epoch FROM starts_at)::bigint || '~' || id FROM shown ORDER BY starts_at DESC, id DESC LIMIT 1) END))
