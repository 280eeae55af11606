SELECT exchange_delegation($1::uuid, $2::uuid, $3, $4)
