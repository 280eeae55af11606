select json_build_object('id', s.id, 'code', s.code, 'tenant', s.tenant_id, 'tenantName', t.name, 'title', s.title,
	'summary', s.summary, 'description', s.description, 'who', s.who, 'needs', s.needs, 'category', s.category, 'section', s.section,
	'online', s.online, 'fee', json_build_object('amount', s.fee, 'currency', 'EUR'), 'termDays', s.term_days,
	'legalBasis', s.legal_basis, 'attachments', s.attachments,
	'office', json_build_object('code', o.code, 'name', o.name, 'handles', o.handles))
from services s
join tenants t on t.tenant_id = s.tenant_id
join offices o on o.tenant_id = s.tenant_id and o.code = s.office
where s.id = $1::uuid and s.active
