SELECT add_signing_key($1, $2::jsonb, $3)
