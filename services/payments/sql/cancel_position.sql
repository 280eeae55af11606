-- $1 position, $2 why
with cancelled as (
	update positions
	set state = 'cancelled', cancelled_at = now(), cancellation_reason = $2
	where tenant_id = app_tenant() and id = $1::uuid and state in ('open', 'expired')
	returning *
)
select json_build_object('event', emit_event(c.tenant_id, 'position.cancelled', c.id, c.person_id,
	jsonb_build_object('positionId', c.id, 'reference', jsonb_build_object('kind', c.reference_kind, 'id', c.reference_id))))
from cancelled c
