SELECT authenticate_client($1, $2)
