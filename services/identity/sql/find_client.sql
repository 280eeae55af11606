SELECT find_client($1)
