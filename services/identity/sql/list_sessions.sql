-- $1: the caller, $2: the session of this call, $3: limit, $4: after.
WITH page AS (
	SELECT s.id, s.client_id, s.authenticated_at, s.last_used_at, s.provider, row_number() OVER (ORDER BY s.id DESC) AS place
	FROM own_sessions($1::uuid) s
	WHERE ($4::uuid IS NULL OR s.id < $4::uuid)
	ORDER BY s.id DESC LIMIT $3::int + 1
)
SELECT json_strip_nulls(json_build_object(
	'items', coalesce(json_agg(json_build_object(
		'id', id, 'client', client_id, 'createdAt', to_utc(authenticated_at), 'lastUsedAt', to_utc(last_used_at),
		'provider', provider, 'current', id IS NOT DISTINCT FROM $2::uuid) ORDER BY place) FILTER (WHERE place <= $3::int), '[]'),
	'next', (SELECT p.id FROM page p WHERE p.place = $3::int AND EXISTS (SELECT FROM page WHERE place > $3::int))))
FROM page
