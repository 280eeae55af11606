with due as (
	select tenant_id, id
	from positions
	where state = 'open' and due_date < rome_today()
	order by due_date
	limit 100
	for update skip locked
), expired as (
	update positions p
	set state = 'expired', expired_at = now()
	from due
	where p.tenant_id = due.tenant_id and p.id = due.id
	returning p.*
)
select json_build_object('expired', count(emit_event(e.tenant_id, 'position.expired', e.id, e.person_id,
	jsonb_build_object('positionId', e.id, 'reference', jsonb_build_object('kind', e.reference_kind, 'id', e.reference_id)))))
from expired e
having count(*) > 0
