SELECT accept_delegation($1::uuid, $2)
