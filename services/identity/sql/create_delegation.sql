SELECT create_delegation($1::jsonb, $2)
