-- $1 agenda, $2 first day, $3 last day
SELECT json_build_object('items', (
	SELECT coalesce(json_agg(json_build_object('startsAt', to_utc(slot),
		'endsAt', to_utc(slot + make_interval(mins => a.slot_minutes)), 'free', a.places - taken) ORDER BY slot), '[]')
	FROM agenda_slots(a, $2::date, $3::date) AS slot
	CROSS JOIN LATERAL (SELECT count(*) AS taken FROM taken_places t WHERE t.tenant_id = a.tenant_id AND t.agenda_id = a.id
		AND t.starts_at = slot AND t.held_until > now()) AS t
	WHERE slot > now() AND slot < now() + make_interval(days => a.bookable_days + 1) AND taken < a.places))
FROM agendas a
WHERE a.id = $1::uuid
	AND ($3::date - $2::date <= 31 OR refuse(422, 'range-too-long', 'Ask for at most 31 days at once.'))
