-- $1 event, $2 person, $3 the notice, $4 deliveries [{"channel", "address", "hint", "standby", "quiet_from", "quiet_to"}].
-- Zero rows: this event has its notice already.
with notice as (
	insert into notices (tenant_id, subject_id, event_id, template_id, template_version, topic, subject, body, link, reference,
		due_at, payment, state)
	select app_tenant(), $2::uuid, $1::uuid, n ->> 'template', (n ->> 'version')::int, n ->> 'topic', n ->> 'subject', replace(n ->> 'text', E'\r', ''),
		n ->> 'link', n -> 'reference', ((n ->> 'dueOn')::date + time '23:59:59') at time zone 'Europe/Rome', nullif(n -> 'payment', 'null'),
		case when $4::jsonb = '[]' then 'delivered' else 'sending' end
	from (select jsonb_strip_nulls($3::jsonb) n) given
	on conflict (tenant_id, event_id) where event_id is not null do nothing
	returning *
), planned as (
	insert into deliveries (tenant_id, notice_id, subject_id, channel, state, standby, address, address_hint, quiet_from,
		quiet_to, next_attempt_at)
	select n.tenant_id, n.id, n.subject_id, d.channel, 'created', d.standby, d.address, d.hint, d.quiet_from, d.quiet_to,
		case when not d.standby then after_quiet(now(), d.quiet_from, d.quiet_to) end
	from notice n, jsonb_to_recordset($4::jsonb) as d(channel text, address text, hint text, standby boolean,
		quiet_from time, quiet_to time)
	union all
	select tenant_id, id, subject_id, 'inbox', 'delivered', false, null, null, null, null, null from notice
)
select json_build_object('id', id) from notice
