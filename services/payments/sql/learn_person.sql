-- $1 fiscal code, $2 person. Bills that came before the person was known are hers from now on, and are announced to her as new.
with known as (
	insert into known_persons (fiscal_code, person_id)
	values ($1, $2::uuid)
	on conflict (tenant_id, fiscal_code) do update set person_id = excluded.person_id
), linked as (
	update positions
	set person_id = $2::uuid
	where debtor_fiscal_code = $1 and person_id is null
	returning *
)
select json_build_object('linked', count(emit_event(l.tenant_id, 'position.created', l.id, l.person_id,
	jsonb_build_object('positionId', l.id, 'reference', jsonb_build_object('kind', l.reference_kind, 'id', l.reference_id)))))
from linked l
