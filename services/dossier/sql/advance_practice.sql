-- From registered onward: to the payment of the fee, or where there is none to the office.
update practices p
set state = t.to_state, changed_by = t.actor, changed_by_id = null, reason = null, version = p.version + 1, updated_at = now()
from transitions t
where p.id = $1::uuid and t.action = case when p.fee > 0 then 'ask-fee' else 'review' end and t.from_state = p.state
