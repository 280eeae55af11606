SELECT find_client_keys($1)
