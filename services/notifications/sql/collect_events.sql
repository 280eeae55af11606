select json_build_object('taken', collect_events($1, $2::bigint, $3::jsonb))
