-- $1 id, $2 client (NULL: any of the tenant)
select subscription_json(s), subscription_etag(s.version) as etag
from webhook_subscriptions s
where s.tenant_id = app_tenant() and s.id = $1::uuid and s.state <> 'deleted' and ($2::text is null or s.client_id = $2)
