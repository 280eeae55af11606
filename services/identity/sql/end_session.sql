SELECT end_own_session($1::uuid, $2::uuid)
