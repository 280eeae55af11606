SELECT position, previous, envelope FROM event_batch($1::bigint, $2::bigint, $3::int)
