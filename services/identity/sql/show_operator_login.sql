SELECT show_operator_login($1, $2)
