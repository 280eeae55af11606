INSERT INTO dead_letters (tenant_id, source, event_id, position, envelope, status, cause, attempts)
VALUES ($1, $2, $3::uuid, $4::bigint, $5::jsonb, $6::int, $7, $8::int)
ON CONFLICT (tenant_id, source, event_id) DO UPDATE
SET status = excluded.status, cause = excluded.cause, attempts = dead_letters.attempts + excluded.attempts, updated_at = now()
RETURNING event_id
