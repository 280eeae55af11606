-- $1 id, $2 client (NULL: any of the tenant)
with asked as (
	update webhook_subscriptions s set redrive = true
	where s.tenant_id = app_tenant() and s.id = $1::uuid and s.state <> 'deleted' and ($2::text is null or s.client_id = $2)
	returning s.tenant_id, s.id
)
select json_build_object('redriven', (select count(*) from webhook_deliveries d
		where d.tenant_id = a.tenant_id and d.subscription_id = a.id and d.state = 'parked')),
	pg_notify('tasks', 'tend-webhooks') as told
from asked a
