-- What the decision's document says; $2 is approve or reject. The practice waits for the end of the transaction. A
-- citizen who was asked for an integration is not refused before her days are over.
with held as (
	select p
	from practices p
	where p.id = $1::uuid
		and exists (select from transitions t where t.action = $2 and t.from_state = p.state)
		and not exists (select from integrations i where i.practice_id = p.id and p.state = 'integration-requested'
			and i.answer_due_on >= today_in_italy())
	for update
)
select json_strip_nulls(json_build_object('tenant', t.name, 'office', o.name, 'service', s.title, 'legalBasis', s.legal_basis,
	'applicant', (held.p).applicant_name, 'fiscalCode', (held.p).applicant_fiscal_code,
	'registration', (held.p).registration, 'practice', (held.p).id,
	'registeredOn', (((held.p).registration ->> 'registeredAt')::timestamptz at time zone 'Europe/Rome')::date,
	'decidedOn', today_in_italy(), 'decidedAt', to_char(now() at time zone 'UTC', 'YYYYMMDDHH24MISS')))
from held
join services s on s.tenant_id = (held.p).tenant_id and s.id = (held.p).service_id
join tenants t on t.tenant_id = s.tenant_id
join offices o on o.tenant_id = s.tenant_id and o.code = s.office
union all
select case when p.state = 'integration-requested' and $2 = 'reject'
	then case when refuse(409, 'wrong-state', 'The citizen still has days to answer the request for integration.')
		then null::json end
	else refuse_change(p, $2) end
from practices p where p.id = $1::uuid and not exists (select from held)
