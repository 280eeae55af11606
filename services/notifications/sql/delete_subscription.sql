-- $1 id, $2 client (NULL: any of the tenant). Its deliveries are removed little by little (sweep_subscriptions).
with ended as (
	update webhook_subscriptions set state = 'deleted', updated_at = now()
	where tenant_id = app_tenant() and id = $1::uuid and state <> 'deleted' and ($2::text is null or client_id = $2)
	returning id
)
select json_build_object('id', id), pg_notify('tasks', 'load-subscriptions') as told from ended
