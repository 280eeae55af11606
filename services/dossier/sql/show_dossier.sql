-- Everything the area holds about the citizen who asks, from what this service has at hand: one statement, every
-- list with an end.
with mine as (
	select p, s, p.id, row_number() over (order by p.id desc) as n
	from practices p
	join services s on s.tenant_id = p.tenant_id and s.id = p.service_id
	where p.subject_id = app_subject()
), items as (
	select i.kind, i.state, i.amount, i.starts_at, item_json(i) as item, row_number() over (partition by i.kind
		order by settled, case when not settled then i.due_on end, i.due_on desc, i.starts_at desc, i.id desc) as n
	from dossier_items i
	cross join lateral (select i.kind = 'due' and i.state in ('paid', 'cancelled') as settled) s
	where i.subject_id = app_subject()
)
select json_build_object(
	'practices', (select coalesce(json_agg(practice_summary_json(p, s) order by n), '[]') from mine where n <= 50),
	'dues', (select coalesce(json_agg(item order by n), '[]') from items where kind = 'due' and n <= 50),
	'appointments', (select coalesce(json_agg(item order by n), '[]') from items where kind = 'appointment' and n <= 50),
	'notices', (select coalesce(json_agg(item order by n), '[]') from items where kind = 'notice' and n <= 20),
	'messages', (select coalesce(json_agg(message_json(m) order by m.id desc), '[]')
		from (select * from messages m where m.subject_id = app_subject() order by m.id desc limit 20) m),
	'documents', (select coalesce(json_agg(document_json(d) order by d.id desc), '[]')
		from (select * from documents d where d.subject_id = app_subject() order by d.id desc limit 50) d),
	'totals', json_build_object(
		'practices', (select count(*) from mine),
		'openPractices', (select count(*) from mine where (p).state not in ('draft', 'closed', 'withdrawn')),
		'openDues', (select count(*) from items where kind = 'due' and state not in ('paid', 'cancelled')),
		'toPay', json_build_object('amount', (select coalesce(sum(amount), 0) from items
			where kind = 'due' and state not in ('paid', 'cancelled')), 'currency', 'EUR'),
		'comingAppointments', (select count(*) from items where kind = 'appointment' and state = 'confirmed' and starts_at > now()),
		'unreadNotices', (select count(*) from items where kind = 'notice' and not item ? 'readAt')))
