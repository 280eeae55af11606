SELECT end_operator_login($1, $2, $3::uuid, $4::bigint, $5, $6, $7)
