SELECT end_provider_sessions($1, $2, $3)
