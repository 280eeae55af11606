-- $2 the body, $3 the operator who calls: whoever names nobody takes it.
with assigned as (
	update practices p
	set assignee_id = coalesce(($2::jsonb ->> 'assignee')::uuid, $3::uuid), version = p.version + 1, updated_at = now()
	where p.id = $1::uuid and p.state not in ('draft', 'closed', 'withdrawn')
	returning p as practice
)
select practice_json(practice), etag((practice).version) as etag from assigned
union all
select case when refuse(409, 'wrong-state', format('The practice is in state %s.', p.state)) then null::json end, null
from practices p where p.id = $1::uuid and not exists (select from assigned)
