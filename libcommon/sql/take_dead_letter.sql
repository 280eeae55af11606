UPDATE dead_letters d SET redrive = false
FROM (SELECT tenant_id, source, event_id FROM dead_letters WHERE redrive ORDER BY position LIMIT 1 FOR UPDATE SKIP LOCKED) next
WHERE d.tenant_id = next.tenant_id AND d.source = next.source AND d.event_id = next.event_id
RETURNING json_build_object('tenant', d.tenant_id, 'source', d.source, 'id', d.event_id, 'type', d.envelope ->> 'type',
	'envelope', d.envelope)
