INSERT INTO event_positions AS p (source, position) VALUES ($1, $2::bigint)
ON CONFLICT (tenant_id, source) DO UPDATE SET position = excluded.position WHERE p.position < excluded.position
RETURNING position
