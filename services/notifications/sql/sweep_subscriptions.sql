-- The deliveries of subscriptions that were ended, a thousand at a time, and the subscriptions once they have none; test events, which no feed
-- has, after 30 days.
with old as (
	(select d.tenant_id, d.subscription_id, d.id
	from webhook_subscriptions s
	join webhook_deliveries d on d.tenant_id = s.tenant_id and d.subscription_id = s.id
	where s.state = 'deleted' limit 1000)
	union
	(select tenant_id, subscription_id, id from webhook_deliveries
	where envelope is not null and created_at < now() - interval '30 days' limit 1000)
), removed as (
	delete from webhook_deliveries d using old
	where d.tenant_id = old.tenant_id and d.subscription_id = old.subscription_id and d.id = old.id
	returning 1
), ended as (
	delete from webhook_subscriptions s
	where s.state = 'deleted' and not exists (select from webhook_deliveries d
		where d.tenant_id = s.tenant_id and d.subscription_id = s.id)
)
select json_build_object('removed', (select count(*) from removed))
