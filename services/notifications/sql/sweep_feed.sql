-- What is older than a tenant keeps, a thousand events of one tenant at a time with their deliveries: a range of positions, so that nothing
-- is read but what goes.
with old as (
	select t.tenant_id, t.swept, o.upto
	from feed_tenants t
	cross join lateral (
		select max(position) as upto from (
			select position, collected_at from feed_events e
			where e.tenant_id = t.tenant_id and e.position > t.swept order by e.position limit 1000) first
		where collected_at < now() - t.retention_days * interval '1 day') o
	where o.upto is not null
	limit 1
), deliveries as (
	delete from webhook_deliveries
	where tenant_id = (select tenant_id from old) and position between (select swept from old) and (select upto from old)
), events as (
	delete from feed_events
	where tenant_id = (select tenant_id from old) and position between (select swept from old) and (select upto from old)
	returning 1
), swept as (
	update feed_tenants t set swept = old.upto from old where t.tenant_id = old.tenant_id
)
select json_build_object('removed', (select count(*) from events))
