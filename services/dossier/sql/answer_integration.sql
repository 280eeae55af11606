-- $2 the body. The term goes on: the days it stood still are added to it.
with strange as (
	select named.id
	from jsonb_array_elements_text(coalesce($2::jsonb -> 'documents', '[]')) as named (id)
	where not exists (select from documents d
		where d.id = named.id::uuid and d.practice_id = $1::uuid and d.kind <> 'decision')
), answered as (
	update practices p
	set state = t.to_state, changed_by = t.actor, changed_by_id = app_subject(), reason = null,
		version = p.version + 1, updated_at = now(), suspended_on = null,
		suspended_days = today_in_italy() - p.suspended_on,
		due_on = p.original_due_on + (today_in_italy() - p.suspended_on)
	from transitions t
	where p.id = $1::uuid and t.action = 'integrate' and t.from_state = p.state and not exists (select from strange)
	returning p as practice
), noted as (
	update integrations i
	set answer = $2::jsonb ->> 'text', answer_documents = coalesce($2::jsonb -> 'documents', '[]'), answered_at = now()
	from answered
	where i.tenant_id = (practice).tenant_id and i.practice_id = (practice).id
	returning i.practice_id
)
select practice_json(practice), etag((practice).version) as etag from answered, noted
union all
select case when refuse(422, 'unknown-reference', 'Not a document of this practice: ' || (select min(id) from strange))
	then null::json end, null
from practices p where p.id = $1::uuid and exists (select from strange)
union all
select refuse_change(p, 'integrate'), null
from practices p where p.id = $1::uuid and not exists (select from strange) and not exists (select from answered)
