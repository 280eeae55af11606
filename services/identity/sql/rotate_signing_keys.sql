SELECT rotate_signing_keys(make_interval(secs => $1), make_interval(secs => $2), make_interval(secs => $3))
