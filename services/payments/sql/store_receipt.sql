-- $1 the `receipt` of paSendRT or paSendRTV2. Stores it and pays its instalment, once: no row when it was stored before. A receipt whose
-- notice is not ours is kept as an orphan. Sums are taken from the rows as updated, so that receipts of two instalments that arrive at
-- the same moment both count.
with sent as (
	select r, cents(r ->> 'paymentAmount') as amount from (select $1::json as r) as given
), found as (
	select i.position_id, i.number
	from sent
	join creditors c on c.tenant_id = app_tenant() and c.fiscal_code = r ->> 'fiscalCode'
	join instalments i on i.tenant_id = c.tenant_id and i.notice_number = r ->> 'noticeNumber'
), stored as (
	insert into receipts (tenant_id, receipt_id, notice_number, iuv, match, position_id, instalment, amount, fee, psp_name,
		payment_method, paid_at, content)
	select app_tenant(), r ->> 'receiptId', r ->> 'noticeNumber', r ->> 'creditorReferenceId',
		case when r ->> 'outcome' <> 'OK' then 'refused' when f.position_id is null then 'orphan' else 'matched' end,
		f.position_id, f.number, s.amount, cents(r ->> 'fee'), r ->> 'PSPCompanyName', r ->> 'paymentMethod',
		r ->> 'paymentDateTime', r
	from sent s
	left join found f on true
	on conflict on constraint receipt_stored do nothing
	returning *
), instalment as (
	update instalments i
	set received = i.received + s.amount,
		paid_at = coalesce(i.paid_at, case when i.received + s.amount >= i.amount then now() end)
	from stored s
	where s.match = 'matched' and i.tenant_id = s.tenant_id and i.position_id = s.position_id and i.number = s.instalment
	returning i.tenant_id, i.position_id, least(i.amount, i.received) - least(i.amount, i.received - s.amount) as settled
), position as (
	update positions p
	set settled = p.settled + i.settled,
		state = case when p.settled + i.settled = p.amount then 'paid' else 'partly-paid' end,
		paid_at = case when p.settled + i.settled = p.amount then now() end
	from instalment i
	where p.tenant_id = i.tenant_id and p.id = i.position_id and i.settled > 0
	returning p.*
)
select json_build_object('id', s.id, 'match', s.match, 'event', (
	select emit_event(p.tenant_id, 'position.' || p.state, p.id, p.person_id,
		jsonb_build_object('positionId', p.id, 'reference', jsonb_build_object('kind', p.reference_kind, 'id', p.reference_id)))
	from position p))
from stored s
