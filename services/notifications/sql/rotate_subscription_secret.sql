-- $1 id, $2 client, $3 sealed secret, $4 the secret, to be shown this once, $5 body
with rotated as (
	update webhook_subscriptions s set secret = $3, secondary_secret = s.secret,
		secondary_until = now() + coalesce(($5::jsonb ->> 'keepHours')::int, 24) * interval '1 hour', version = s.version + 1,
		updated_at = now()
	where s.tenant_id = app_tenant() and s.id = $1::uuid and s.state <> 'deleted' and s.client_id = $2
	returning s as subscription
)
select subscription_json(subscription) || jsonb_build_object('secret', $4::text), pg_notify('tasks', 'load-subscriptions') as told
from rotated
