-- A thousand at a time: parks what has been tried for three days, makes again what was parked where that was asked for or the endpoint is
-- back, and tries one parked delivery an hour where nothing else would tell that it is.
with expired as (
	select tenant_id, subscription_id, id from webhook_deliveries
	where state = 'waiting' and expires_at < now() limit 1000
), parked as (
	update webhook_deliveries d set state = 'parked', settled_at = now()
	from expired e where d.tenant_id = e.tenant_id and d.subscription_id = e.subscription_id and d.id = e.id and d.state = 'waiting'
	returning 1
), asked as (
	select d.tenant_id, d.subscription_id, d.id
	from webhook_subscriptions s
	join webhook_deliveries d on d.tenant_id = s.tenant_id and d.subscription_id = s.id and d.state = 'parked'
	where s.redrive and s.state = 'active' limit 1000
), again as (
	update webhook_deliveries d set state = 'waiting', next_attempt_at = now(), expires_at = now() + interval '3 days', settled_at = null
	from asked a where d.tenant_id = a.tenant_id and d.subscription_id = a.subscription_id and d.id = a.id and d.state = 'parked'
	returning 1
), done as (
	update webhook_subscriptions s set redrive = false
	where s.redrive and not exists (select from webhook_deliveries d
		where d.tenant_id = s.tenant_id and d.subscription_id = s.id and d.state = 'parked')
), silent as (
	update webhook_subscriptions s set probed_at = now()
	where s.state = 'active' and not s.redrive and (s.probed_at is null or s.probed_at < now() - interval '1 hour')
	and exists (select from webhook_deliveries d
		where d.tenant_id = s.tenant_id and d.subscription_id = s.id and d.state = 'parked')
	and not exists (select from webhook_deliveries d
		where d.tenant_id = s.tenant_id and d.subscription_id = s.id and d.state = 'waiting')
	returning s.tenant_id, s.id
), probed as (
	update webhook_deliveries d set state = 'waiting', next_attempt_at = now(), expires_at = now() + interval '1 minute'
	from silent s
	where d.tenant_id = s.tenant_id and d.subscription_id = s.id
	and d.id = (select min(p.id::text)::uuid from webhook_deliveries p
		where p.tenant_id = s.tenant_id and p.subscription_id = s.id and p.state = 'parked')
	returning 1
)
select json_build_object('moved', (select count(*) from parked) + (select count(*) from again)),
	(select pg_notify('tasks', 'keep-webhooks') where exists (select from again) or exists (select from probed)) as told
