-- What is older than the tenant keeps, a thousand events of each at a time, with their deliveries.
with old as (
	select t.tenant_id, o.position, o.id
	from feed_tenants t
	cross join lateral (
		select position, id, collected_at from feed_events e where e.tenant_id = t.tenant_id order by e.position limit 1000) o
	where o.collected_at < now() - t.retention_days * interval '1 day'
), deliveries as (
	delete from webhook_deliveries d using old, webhook_subscriptions s
	where s.tenant_id = old.tenant_id and d.tenant_id = s.tenant_id and d.subscription_id = s.id and d.id = old.id
), events as (
	delete from feed_events e using old where e.tenant_id = old.tenant_id and e.position = old.position
	returning 1
), swept as (
	update feed_tenants t set swept = greatest(t.swept, o.position)
	from (select tenant_id, max(position) as position from old group by tenant_id) o where o.tenant_id = t.tenant_id
)
select json_build_object('removed', (select count(*) from events))
