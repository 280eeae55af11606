SELECT take_pushed_request($1, $2)
