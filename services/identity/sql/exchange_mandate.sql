SELECT exchange_mandate($1::uuid, $2::uuid, $3, $4)
