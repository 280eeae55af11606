SELECT state, status, headers, body FROM idempotency_begin($1, $2, $3, $4)
