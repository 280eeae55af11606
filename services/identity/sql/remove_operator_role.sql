SELECT remove_operator_role($1::uuid, $2)
