UPDATE dead_letters SET status = $4::int, cause = $5, attempts = attempts + 1, updated_at = now()
WHERE tenant_id = $1 AND source = $2 AND event_id = $3::uuid
RETURNING json_build_object('id', event_id)
