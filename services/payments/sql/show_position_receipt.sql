-- $1 position
select json_build_object(
	'positionId', p.id,
	'tenant', p.tenant_id,
	'tenantName', c.name,
	'reason', p.reason,
	'receipts', json_agg(receipt_json(r) order by r.id))
from positions p
join creditors c on c.tenant_id = p.tenant_id
join receipts r on r.tenant_id = p.tenant_id and r.position_id = p.id and r.match = 'matched'
where p.id = $1::uuid
group by p.id, p.tenant_id, c.name, p.reason
