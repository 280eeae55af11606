SELECT rotate_refresh($1, $2, $3, $4)
