-- $1 checkout. `paid` is what the receipts say, whatever became of the checkout itself.
select json_strip_nulls(json_build_object(
		'id', c.id,
		'tenant', c.tenant_id,
		'state', case when items.paid then 'paid' else c.state end,
		'amount', money_json(items.amount),
		'items', items.list,
		'paymentUrl', case when c.state = 'ready' and not items.paid then c.payment_url end,
		'failure', case when not items.paid then c.failure end,
		'createdAt', to_utc(c.created_at),
		'expiresAt', to_utc(c.expires_at))),
	'/payments/v1/checkouts/' || c.id as location
from checkouts c
cross join lateral (
	select bool_and(i.received >= i.amount) as paid, sum(t.amount)::bigint as amount, json_agg(json_build_object(
		'positionId', t.position_id,
		'instalment', t.instalment,
		'noticeNumber', i.notice_number,
		'amount', money_json(t.amount),
		'paid', i.received >= i.amount) order by t.position_id, t.instalment) as list
	from checkout_items t
	join instalments i on i.tenant_id = t.tenant_id and i.position_id = t.position_id and i.number = t.instalment
	where t.tenant_id = c.tenant_id and t.checkout_id = c.id) as items
where c.id = $1::uuid
