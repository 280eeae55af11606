SELECT begin_attempt($1, $2, $3, $4)
