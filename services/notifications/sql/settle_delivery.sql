select to_json(settle_delivery($1, $2::uuid, $3, $4::uuid, $5, $6, $7, $8::int))
