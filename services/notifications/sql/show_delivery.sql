-- $1 subscription, $2 client (NULL: any of the tenant), $3 event
select delivery_json(d)
from webhook_subscriptions s
join webhook_deliveries d on d.tenant_id = s.tenant_id and d.subscription_id = s.id and d.id = $3::uuid
where s.tenant_id = app_tenant() and s.id = $1::uuid and s.state <> 'deleted' and ($2::text is null or s.client_id = $2)
