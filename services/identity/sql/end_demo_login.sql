SELECT end_demo_login($1, $2, $3, $4)
