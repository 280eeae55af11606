SELECT show_demo_login($1, $2)
