-- The fee is paid: the office can begin. $2 what the paid position amounts to: less than the fee does not pay it.
update practices p
set state = t.to_state, changed_by = t.actor, changed_by_id = null, reason = null, version = p.version + 1, updated_at = now()
from transitions t
where p.id = $1::uuid and t.action = 'settle' and t.from_state = p.state and p.fee <= $2::bigint
