-- The fee is paid: the office can begin.
update practices p
set state = t.to_state, changed_by = t.actor, changed_by_id = null, reason = null, version = p.version + 1, updated_at = now()
from transitions t
where p.id = $1::uuid and t.action = 'settle' and t.from_state = p.state
