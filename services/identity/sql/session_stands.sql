SELECT session_stands($1::uuid)
