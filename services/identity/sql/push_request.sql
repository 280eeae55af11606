SELECT push_request($1, $2, $3::jsonb)
