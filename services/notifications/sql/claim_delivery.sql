-- Takes the delivery of channel $1 that waits longest, for two minutes. An interrupted one (its worker died after it began the
-- call that must not be repeated) comes back with "interrupted". One that comes late, after a pause or a lease, and into the quiet hours
-- is put off ("quiet"), unless nothing is handed over any more: to ask what became of it disturbs nobody.
with due as (
	select tenant_id, notice_id, channel, handed_over,
		case when d.state = 'sent' or d.handed_over then now() else after_quiet(now(), d.quiet_from, d.quiet_to) end as free_at
	from deliveries d
	where channel = $1 and next_attempt_at <= now()
	and not exists (
		select from channel_pauses p
		where p.tenant_id = d.tenant_id and p.channel = d.channel and p.until > now())
	order by next_attempt_at
	limit 1
	for update skip locked
), put_off as (
	update deliveries d set state = case when d.state = 'sending' then 'created' else d.state end, claim = null,
		next_attempt_at = due.free_at, updated_at = now()
	from due
	where d.tenant_id = due.tenant_id and d.notice_id = due.notice_id and d.channel = due.channel and due.free_at > now()
	returning d.channel
), claimed as (
	update deliveries d set state = case when d.state = 'sent' then 'sent' else 'sending' end, claim = uuid7(),
		next_attempt_at = now() + interval '2 minutes', updated_at = now()
	from due
	where d.tenant_id = due.tenant_id and d.notice_id = due.notice_id and d.channel = due.channel and due.free_at = now()
	returning d.*
)
select json_build_object(
	'tenant', c.tenant_id, 'notice', c.notice_id, 'channel', c.channel, 'claim', c.claim, 'address', c.address,
	'sent', c.state = 'sent', 'interrupted', due.handed_over, 'attempts', c.attempts,
	'providerReference', c.provider_reference, 'subject', n.subject, 'text', n.body, 'link', n.link, 'topic', n.topic,
	'createdAt', floor(extract(epoch from n.created_at))::bigint, 'dueAt', to_utc(n.due_at), 'payment', n.payment,
	'sender', sender_json(c.tenant_id), 'layout', (
		select t.body from templates t
		where t.tenant_id in ('*', c.tenant_id) and t.id = 'layout.' || c.channel and t.active
		order by t.tenant_id = '*' limit 1))
from claimed c
join due using (tenant_id, notice_id, channel)
join notices n on n.tenant_id = c.tenant_id and n.id = c.notice_id
union all
select json_build_object('quiet', true) from put_off
