-- The decision's document is registered out ($2): the citizen sees it from now on, and the practice is closed.
with issued as (
	update documents d
	set issued_at = now(), registration = $2::jsonb
	where d.practice_id = $1::uuid and d.kind = 'decision' and d.issued_at is null
	returning d.tenant_id, d.practice_id
)
update practices p
set state = t.to_state, changed_by = t.actor, changed_by_id = null, reason = null, version = p.version + 1, updated_at = now()
from transitions t, issued
where p.tenant_id = issued.tenant_id and p.id = issued.practice_id and t.action = 'close' and t.from_state = p.state
