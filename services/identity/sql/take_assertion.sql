SELECT take_assertion($1, $2, $3::bigint)
