-- The next checkout that wants a payment page, as the cart that pagoPA's Checkout takes. If this process dies now, another one takes it
-- again in half a minute.
with due as (
	select tenant_id, id
	from checkouts
	where state = 'preparing' and next_attempt_at <= now() and expires_at > now()
	order by next_attempt_at
	limit 1
	for update skip locked
), claimed as (
	update checkouts c
	set attempts = c.attempts + 1, next_attempt_at = now() + interval '30 seconds'
	from due
	where c.tenant_id = due.tenant_id and c.id = due.id
	returning c.*
)
select json_build_object('tenant', c.tenant_id, 'id', c.id, 'attempts', c.attempts, 'cart', json_build_object(
	'paymentNotices', (
		select json_agg(json_build_object(
			'noticeNumber', i.notice_number,
			'fiscalCode', r.fiscal_code,
			'amount', t.amount,
			'companyName', r.name,
			'description', p.reason) order by t.position_id, t.instalment)
		from checkout_items t
		join instalments i on i.tenant_id = t.tenant_id and i.position_id = t.position_id and i.number = t.instalment
		join positions p on p.tenant_id = t.tenant_id and p.id = t.position_id
		join creditors r on r.tenant_id = t.tenant_id
		where t.tenant_id = c.tenant_id and t.checkout_id = c.id),
	'returnUrls', json_build_object(
		'returnOkUrl', c.return_urls ->> 'ok',
		'returnCancelUrl', c.return_urls ->> 'cancel',
		'returnErrorUrl', c.return_urls ->> 'error'),
	'idCart', c.id))
from claimed c
