-- $1 position, or $2 the practice it is for. Until the end of the transaction nobody else pays or cancels it.
select json_build_object('id', id, 'state', state, 'settled', settled)
from positions
where tenant_id = app_tenant()
	and (id = $1::uuid or (reference_kind = 'practice' and reference_id = $2 and cancelled_at is null))
for update
