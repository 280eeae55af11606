-- $1 subscription, $2 client (NULL: any of the tenant), $3 state, $4 after, $5 limit
with found as (
	select d from webhook_deliveries d
	where d.tenant_id = app_tenant() and d.subscription_id = $1::uuid and ($3::text is null or d.state = $3)
	and ($4::uuid is null or d.id < $4::uuid)
	order by d.id desc limit $5::int + 1
), shown as (
	select d from found order by (d).id desc limit $5::int
)
select json_strip_nulls(json_build_object(
	'items', (select coalesce(json_agg(delivery_json(d) order by (d).id desc), '[]') from shown),
	'next', case when (select count(*) from found) > $5::int then (select min((d).id::text) from shown) end))
from webhook_subscriptions s
where s.tenant_id = app_tenant() and s.id = $1::uuid and s.state <> 'deleted' and ($2::text is null or s.client_id = $2)
