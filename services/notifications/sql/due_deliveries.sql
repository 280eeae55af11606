-- $1 [{"tenant", "id", "room"}]: of each subscription so many that are due.
select json_build_object('items', coalesce(json_agg(json_build_object(
	'subscription', d.subscription_id, 'id', d.id, 'attempts', d.attempts, 'body', coalesce(d.envelope, e.envelope))
	order by d.next_attempt_at, d.position), '[]'))
from jsonb_to_recordset($1::jsonb) as w(tenant text, id uuid, room int)
cross join lateral (
	select * from webhook_deliveries d
	where d.tenant_id = w.tenant and d.subscription_id = w.id and d.state = 'waiting' and d.next_attempt_at <= now()
	order by d.next_attempt_at, d.position limit w.room) d
left join feed_events e on e.tenant_id = d.tenant_id and e.position = d.position
where coalesce(d.envelope, e.envelope) is not null
