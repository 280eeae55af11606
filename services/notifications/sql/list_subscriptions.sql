-- $1 client (NULL: all of the tenant), $2 after, $3 limit
with found as (
	select s from webhook_subscriptions s
	where s.tenant_id = app_tenant() and s.state <> 'deleted' and ($1::text is null or s.client_id = $1)
	and ($2::uuid is null or s.id > $2::uuid)
	order by s.id limit $3::int + 1
), shown as (
	select s from found order by (s).id limit $3::int
)
select json_strip_nulls(json_build_object(
	'items', (select coalesce(json_agg(subscription_json(s) order by (s).id), '[]') from shown),
	'next', case when (select count(*) from found) > $3::int then (select max((s).id::text) from shown) end))
