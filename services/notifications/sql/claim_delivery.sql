-- Takes the delivery of channel $1 that waits longest, for two minutes. An interrupted one (its worker died after it began the
-- call that must not be repeated) comes back with "interrupted".
with due as (
	select tenant_id, notice_id, channel, handed_over
	from deliveries d
	where channel = $1 and next_attempt_at <= now()
	and not exists (
		select from channel_pauses p
		where p.tenant_id = d.tenant_id and p.channel = d.channel and p.until > now())
	order by next_attempt_at
	limit 1
	for update skip locked
), claimed as (
	update deliveries d set state = case when d.state = 'sent' then 'sent' else 'sending' end, claim = uuid7(),
		next_attempt_at = now() + interval '2 minutes', updated_at = now()
	from due
	where d.tenant_id = due.tenant_id and d.notice_id = due.notice_id and d.channel = due.channel
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
