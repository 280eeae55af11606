-- $1 subscription, $2 client (NULL: any of the tenant), $3 event
with again as (
	update webhook_deliveries d set state = 'waiting', next_attempt_at = now(), expires_at = now() + interval '3 days', settled_at = null
	from webhook_subscriptions s
	where s.tenant_id = app_tenant() and s.id = $1::uuid and s.state <> 'deleted' and ($2::text is null or s.client_id = $2)
	and d.tenant_id = s.tenant_id and d.subscription_id = s.id and d.id = $3::uuid
	returning d as delivery
)
select delivery_json(delivery), pg_notify('tasks', 'keep-webhooks') as told from again
