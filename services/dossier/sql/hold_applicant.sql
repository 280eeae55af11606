-- Whoever sends in for this person ($1), and who learns her name, wait for each other: neither misses what the other does. A statement of
-- its own, as in hold_practice.sql.
select json_build_object('id', $1::text) from pg_advisory_xact_lock(hashtextextended($1, 0))
