-- $1 the body of createPosition. Makes the position with its instalments, their notice numbers and their transfers.
with body as (
	select $1::jsonb as b
), creditor as (
	select * from creditors where tenant_id = app_tenant()
), part as (
	select p.number::smallint as number, (p.part ->> 'amount')::bigint as amount,
		(p.part ->> 'dueDate')::date as due_date, p.part -> 'transfers' as transfers
	from body, jsonb_array_elements(coalesce(b -> 'instalments',
		jsonb_build_array(jsonb_build_object('amount', b -> 'amount', 'dueDate', b -> 'dueDate'))))
		with ordinality as p(part, number)
), taken as (
	insert into notice_sequences as s (tenant_id, segregation_code, last_base)
	select tenant_id, segregation_code, (select count(*) from part) from creditor
	on conflict (tenant_id, segregation_code) do update set last_base = s.last_base + excluded.last_base
	returning s.segregation_code, s.last_base - (select count(*) from part) as base_before
), made as (
	insert into positions (tenant_id, person_id, debtor_fiscal_code, debtor_name, reason, amount, due_date, reference_kind,
		reference_id)
	select c.tenant_id, coalesce(person_of(upper(b #>> '{debtor,fiscalCode}')), (b #>> '{debtor,personId}')::uuid),
		upper(b #>> '{debtor,fiscalCode}'), b #>> '{debtor,name}', left(b ->> 'reason', 140), (b ->> 'amount')::bigint,
		(b ->> 'dueDate')::date, b #>> '{reference,kind}', b #>> '{reference,id}'
	from body, creditor c
	returning *
), instalment as (
	insert into instalments (tenant_id, position_id, number, amount, due_date, iuv)
	select m.tenant_id, m.id, p.number, p.amount, p.due_date, iuv_of(t.segregation_code, t.base_before + p.number)
	from made m, part p, taken t
	returning *
), transfer as (
	insert into transfers (tenant_id, position_id, instalment, number, creditor_fiscal_code, creditor_name, iban, amount, category,
		remittance_information)
	select i.tenant_id, i.position_id, i.number, t.number, coalesce(t.part ->> 'creditorFiscalCode', c.fiscal_code),
		coalesce(t.part ->> 'creditorName', c.name), coalesce(t.part ->> 'iban', c.iban), (t.part ->> 'amount')::bigint,
		coalesce(t.part ->> 'category', c.transfer_category),
		left('/RFB/' || i.iuv || '/' || euros((t.part ->> 'amount')::bigint) || '/TXT/'
			|| coalesce(t.part ->> 'remittanceInformation', b ->> 'reason'), 140)
	from body, creditor c, instalment i
	join part p on p.number = i.number
	cross join jsonb_array_elements(coalesce(p.transfers, jsonb_build_array(jsonb_build_object('amount', p.amount))))
		with ordinality as t(part, number)
)
select json_build_object('id', m.id, 'event', emit_event(m.tenant_id, 'position.created', m.id, m.person_id,
	jsonb_build_object('positionId', m.id, 'reference', jsonb_build_object('kind', m.reference_kind, 'id', m.reference_id))))
from made m
