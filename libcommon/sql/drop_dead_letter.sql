DELETE FROM dead_letters WHERE tenant_id = $1 AND source = $2 AND event_id = $3::uuid
RETURNING json_build_object('id', event_id)
