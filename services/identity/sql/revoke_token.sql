SELECT revoke_token($1, $2::uuid, $3)
