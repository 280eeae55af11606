SELECT idempotency_store($1, $2, $3, $4, $5::int, $6::jsonb, $7)
