-- $1 [{"tenant", "subscription", "id", "ok", "attempts", "wait", "attempt"}], what became of attempts; $2 [{"tenant", "id", "failures",
-- "ok", "error", "back"}], how the endpoints do: back, one that counted as down has answered. The commit does not wait for the disk: what a
-- crash of the database takes back is posted once more.
with told as (
	select t.*, greatest(webhook_pause(t.attempts + 1), t.wait * interval '1 second') as pause
	from jsonb_to_recordset($1::jsonb) as t(tenant text, subscription uuid, id uuid, ok boolean, attempts int, wait int, attempt jsonb)
), settled as (
	update webhook_deliveries d set
		attempts = d.attempts + 1,
		state = case when t.ok then 'delivered' when now() + t.pause > d.expires_at then 'parked' else 'waiting' end,
		next_attempt_at = now() + t.pause,
		settled_at = case when t.ok or now() + t.pause > d.expires_at then now() end,
		history = case when jsonb_array_length(d.history) >= 50 then d.history - 0 else d.history end || t.attempt
	from told t
	where d.tenant_id = t.tenant and d.subscription_id = t.subscription and d.id = t.id and d.state <> 'delivered'
	returning 1
), health as (
	update webhook_subscriptions s set
		failures = h.failures,
		failing_since = case when h.failures > 0 then coalesce(case when not h.ok then s.failing_since end, now()) end,
		last_success_at = case when h.ok then now() else s.last_success_at end,
		last_error = coalesce(h.error, s.last_error),
		redrive = s.redrive or h.back
	from jsonb_to_recordset($2::jsonb) as h(tenant text, id uuid, failures int, ok boolean, error text, back boolean)
	where s.tenant_id = h.tenant and s.id = h.id
	returning h.back
)
select json_build_object('settled', (select count(*) from settled)), set_config('synchronous_commit', 'off', true) as quick,
	(select pg_notify('tasks', 'tend-webhooks') where exists (select from health where back)) as told
