SELECT invite_operator($1::uuid, $2, $3, $4)
