-- Whoever makes a bill for this fiscal code ($1), and who learns whose it is, wait for each other: neither misses what the other does. A
-- statement of its own: the next one sees what was done meanwhile.
select json_build_object('fiscalCode', $1::text) from pg_advisory_xact_lock(hashtextextended(upper($1), 0))
