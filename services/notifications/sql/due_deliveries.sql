-- $1 [{"tenant", "id", "room"}]: of each subscription so many that are due. Each envelope is looked up by itself: a join would read
-- the whole feed.
select json_build_object('items', coalesce(json_agg(json_build_object(
	'subscription', d.subscription_id, 'id', d.id, 'attempts', d.attempts, 'body', d.body) order by d.next_attempt_at, d.position), '[]'))
from jsonb_to_recordset($1::jsonb) as w(tenant text, id uuid, room int)
cross join lateral (
	select due.*, coalesce(due.envelope, (
		select e.envelope from feed_events e where e.tenant_id = due.tenant_id and e.position = due.position)) as body
	from webhook_deliveries due
	where due.tenant_id = w.tenant and due.subscription_id = w.id and due.state = 'waiting' and due.next_attempt_at <= now()
	order by due.next_attempt_at, due.position limit w.room) d
where d.body is not null
