-- All that may be sent to, of every tenant.
select json_build_object('items', coalesce(json_agg(json_strip_nulls(json_build_object(
	'tenant', tenant_id, 'id', id, 'client', client_id, 'url', url, 'concurrency', concurrency, 'failures', failures, 'secret', secret,
	'secondary', case when secondary_until > now() then secondary_secret end))), '[]'))
from webhook_subscriptions where state = 'active'
