-- $1 id, $2 client (NULL: any of the tenant)
with test as (
	select s.tenant_id, s.id as subscription_id, uuid7() as id, 'it.portico.webhook.test' as type
	from webhook_subscriptions s
	where s.tenant_id = app_tenant() and s.id = $1::uuid and s.state <> 'deleted' and ($2::text is null or s.client_id = $2)
), queued as (
	insert into webhook_deliveries (tenant_id, subscription_id, id, type, envelope)
	select tenant_id, subscription_id, id, type, json_build_object('specversion', '1.0', 'id', id, 'type', type,
		'source', '/notifications', 'tenant', tenant_id, 'time', to_utc(now()), 'datacontenttype', 'application/json', 'sequence', 1,
		'aggregate', id, 'dataversion', 1, 'data', json_build_object('subscriptionId', subscription_id))::text
	from test
	returning webhook_deliveries as delivery
)
select delivery_json(delivery), pg_notify('tasks', 'keep-webhooks') as told from queued
