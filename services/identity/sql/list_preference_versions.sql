-- $1: limit, $2: the number to go on below. Whose they are, row security says.
WITH page AS (
	SELECT v, row_number() OVER (ORDER BY v.number DESC) AS place
	FROM preference_versions v
	WHERE v.person_id = app_subject() AND ($2::int IS NULL OR v.number < $2::int)
	ORDER BY v.number DESC LIMIT $1::int + 1
)
SELECT json_strip_nulls(json_build_object(
	'items', coalesce(json_agg(json_build_object('number', (v).number, 'since', to_utc((v).since), 'sha256', (v).sha256,
		'preferences', (v).preferences) ORDER BY place) FILTER (WHERE place <= $1::int), '[]'),
	'next', (SELECT (p.v).number::text FROM page p WHERE p.place = $1::int AND EXISTS (SELECT FROM page WHERE place > $1::int))))
FROM page
