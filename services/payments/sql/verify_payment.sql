-- $1 notice number. The members of paVerifyPaymentNoticeRes in the order of the schema, or the fault.
select case when payment_fault(p, i, c) is not null then json_build_object('fault', payment_fault(p, i, c))
	else json_build_object(
		'outcome', 'OK',
		'paymentList', json_build_object('paymentOptionDescription', json_build_object(
			'amount', euros(i.amount - i.received),
			'options', 'EQ',
			'dueDate', i.due_date,
			'detailDescription', p.reason,
			'allCCP', false)),
		'paymentDescription', p.reason,
		'fiscalCodePA', c.fiscal_code,
		'companyName', c.name)
	end
from instalments i
join positions p on p.tenant_id = i.tenant_id and p.id = i.position_id
join creditors c on c.tenant_id = i.tenant_id
where i.tenant_id = app_tenant() and i.notice_number = $1
