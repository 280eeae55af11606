SELECT end_session_of_hint($1::uuid, $2, $3::uuid)
