-- $1 the position as payments tells it, $2 the event's sequence, $3 its practice.
select to_json(keep_item(item))
from (select $1::jsonb as r) as resource
cross join lateral jsonb_populate_record(null::dossier_items, jsonb_build_object(
	'tenant_id', app_tenant(), 'kind', 'due', 'id', r -> 'id', 'subject_id', r #> '{debtor,personId}', 'version', $2::bigint,
	'practice_id', $3::uuid, 'section', section_of($3::uuid, 'io-pago'), 'state', r -> 'state',
	'title', r -> 'reason', 'amount', r #> '{outstanding,amount}', 'due_on', r -> 'dueDate',
	'data', jsonb_build_object('amount', r -> 'amount', 'outstanding', r -> 'outstanding', 'payable', r -> 'payable',
		'noticeNumber', r -> 'noticeNumber', 'tenantName', r -> 'tenantName', 'paidAt', r -> 'paidAt'))) as item
