SELECT userinfo($1::uuid, $2::uuid, $3::boolean)
