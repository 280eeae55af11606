-- $1 notice number, $2 '2' for paGetPaymentV2, which names the company of each transfer. The members of the answer in the order of the
-- schema, or the fault. What was already received is taken from the first transfers on, so that the rest adds up to what is left.
select case when payment_fault(p, i, c) is not null then json_build_object('fault', payment_fault(p, i, c))
	else json_build_object('outcome', 'OK', 'data', json_build_object(
		'creditorReferenceId', i.iuv,
		'paymentAmount', euros(i.amount - i.received),
		'dueDate', i.due_date,
		'lastPayment', p.amount - p.settled = i.amount - i.received,
		'description', p.reason,
		'companyName', c.name,
		'debtor', json_build_object(
			'uniqueIdentifier', json_build_object(
				'entityUniqueIdentifierType', case when length(p.debtor_fiscal_code) = 11 then 'G' else 'F' end,
				'entityUniqueIdentifierValue', p.debtor_fiscal_code),
			'fullName', left(p.debtor_name, 70)),
		'transferList', json_build_object('transfer', (
			select json_agg(json_strip_nulls(json_build_object(
				'idTransfer', rest.number,
				'transferAmount', euros(rest.amount),
				'fiscalCodePA', rest.creditor_fiscal_code,
				'companyName', case when $2::text = '2' then rest.creditor_name end,
				'IBAN', rest.iban,
				'remittanceInformation', rest.remittance_information,
				'transferCategory', rest.category)) order by rest.number)
			from (
				select t.number, t.creditor_fiscal_code, t.creditor_name, t.iban, t.remittance_information, t.category,
					least(t.amount, sum(t.amount) over (order by t.number) - i.received)::bigint as amount
				from transfers t
				where t.tenant_id = i.tenant_id and t.position_id = i.position_id and t.instalment = i.number) as rest
			where rest.amount > 0))))
	end
from instalments i
join positions p on p.tenant_id = i.tenant_id and p.id = i.position_id
join creditors c on c.tenant_id = i.tenant_id
where i.tenant_id = app_tenant() and i.notice_number = $1
