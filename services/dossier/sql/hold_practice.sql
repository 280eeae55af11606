-- Whoever is at the same practice waits. A statement of its own: one that has waited goes on with what it saw before, so what hangs on the
-- practice is looked up by the next one.
select json_build_object('id', p.id) from practices p where p.id = $1::uuid for update
