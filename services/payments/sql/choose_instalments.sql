-- $1 the body of createCheckout. What the citizen asks to pay, and whether it can be paid in one checkout.
with body as (
	select b, coalesce(b -> 'positionIds', b -> 'noticeNumbers') as asked from (select $1::jsonb as b) as given
), chosen as (
	select p.tenant_id, p.id as position_id, i.number, i.amount - i.received as amount, payment_fault(p, i, c) as fault
	from body
	join positions p on p.person_id = app_subject()
	join instalments i on i.tenant_id = p.tenant_id and i.position_id = p.id
	join creditors c on c.tenant_id = p.tenant_id
	where case when b ? 'noticeNumbers'
		then asked ? i.notice_number
		else asked ? p.id::text and i.number = (
			select coalesce(min(n.number) filter (where n.received < n.amount), 1) from instalments n
			where n.tenant_id = p.tenant_id and n.position_id = p.id)
	end
)
select json_build_object(
	'asked', (select jsonb_array_length(asked) from body),
	'found', count(*),
	'tenants', count(distinct tenant_id),
	'fault', min(fault),
	'tenant', min(tenant_id),
	'items', json_agg(json_build_object('positionId', position_id, 'instalment', number, 'amount', amount)))
from chosen
