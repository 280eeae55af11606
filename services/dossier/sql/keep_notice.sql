-- $1 the notice as notifications tells it, $2 the event's sequence, $3 its practice.
select to_json(keep_item(item))
from (select $1::jsonb as r) as resource
cross join lateral jsonb_populate_record(null::dossier_items, jsonb_build_object(
	'tenant_id', app_tenant(), 'kind', 'notice', 'id', r -> 'id', 'subject_id', r -> 'personId', 'version', $2::bigint,
	'practice_id', $3::uuid, 'section', section_of($3::uuid, 'io-cittadino'), 'state', r -> 'state',
	'title', r -> 'subject',
	'data', jsonb_build_object('topic', r -> 'topic', 'createdAt', r -> 'createdAt',
		'readAt', r -> 'readAt', 'link', r -> 'link'))) as item
