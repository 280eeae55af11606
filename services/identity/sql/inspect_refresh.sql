SELECT inspect_refresh($1, $2)
