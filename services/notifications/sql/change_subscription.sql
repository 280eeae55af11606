-- $1 id, $2 client (NULL: any of the tenant), $3 body, $4 If-Match
with found as (
	select * from webhook_subscriptions s
	where s.tenant_id = app_tenant() and s.id = $1::uuid and s.state <> 'deleted' and ($2::text is null or s.client_id = $2)
	for update
), changed as (
	update webhook_subscriptions s set
		url = coalesce($3::jsonb ->> 'url', s.url),
		description = case when $3::jsonb ? 'description' then $3::jsonb ->> 'description' else s.description end,
		types = case when $3::jsonb ? 'types' then array(select jsonb_array_elements_text($3::jsonb -> 'types')) else s.types end,
		state = coalesce($3::jsonb ->> 'state', s.state),
		concurrency = coalesce(($3::jsonb ->> 'concurrency')::int, s.concurrency),
		version = s.version + 1, updated_at = now()
	from found f
	where s.tenant_id = f.tenant_id and s.id = f.id
	and case when $4::text is null or $4 in ('*', subscription_etag(f.version)) then true
		else refuse(412, 'version-conflict', 'The subscription has changed meanwhile.') end
	returning s as subscription
)
select subscription_json(subscription), subscription_etag((subscription).version) as etag, pg_notify('tasks', 'load-subscriptions') as told
from changed
