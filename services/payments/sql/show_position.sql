-- $1 position
select position_json(p) from positions p where p.id = $1::uuid
