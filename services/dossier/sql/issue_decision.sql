-- The decision's document is registered out ($2): the citizen sees it from now on, and the practice is closed. A newer
-- number stands in the place of one that was annulled, an older one is heard late (as in register_practice.sql).
with issued as (
	update documents d
	set issued_at = coalesce(d.issued_at, now()), registration = $2::jsonb
	where d.practice_id = $1::uuid and d.kind = 'decision'
		and (d.registration is null or (d.registration ->> 'id')::uuid < ($2::jsonb ->> 'id')::uuid)
	returning d.tenant_id, d.practice_id
)
update practices p
set state = t.to_state, changed_by = t.actor, changed_by_id = null, reason = null, version = p.version + 1, updated_at = now()
from transitions t, issued
where p.tenant_id = issued.tenant_id and p.id = issued.practice_id and t.action = 'close' and t.from_state = p.state
