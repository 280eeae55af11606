-- $1: role, $2: limit, $3: after. Row security leaves those that the person gave or may answer.
WITH page AS (
	SELECT d, row_number() OVER (ORDER BY d.id DESC) AS place
	FROM delegations d
	WHERE (($1 = 'given' AND d.grantor_id = app_subject()) OR ($1 = 'received' AND d.delegate_code = own_fiscal_code()))
		AND ($3::uuid IS NULL OR d.id < $3::uuid)
	ORDER BY d.id DESC LIMIT $2::int + 1
)
SELECT json_strip_nulls(json_build_object(
	'items', coalesce(json_agg(delegation_json(d) ORDER BY place) FILTER (WHERE place <= $2::int), '[]'),
	'next', (SELECT (p.d).id FROM page p WHERE p.place = $2::int AND EXISTS (SELECT FROM page WHERE place > $2::int))))
FROM page
