-- $2 the body, $3 the operator. Until the answer the term stands still; due_on supposes that the citizen takes all
-- the days given.
with asked as (
	update practices p
	set state = t.to_state, changed_by = t.actor, changed_by_id = $3::uuid, reason = $2::jsonb ->> 'text',
		version = p.version + 1, updated_at = now(), suspended_on = today_in_italy(),
		due_on = p.original_due_on + ($2::jsonb ->> 'termDays')::int
	from transitions t
	where p.id = $1::uuid and t.action = 'request-integration' and t.from_state = p.state
	returning p as practice
), noted as (
	insert into integrations (tenant_id, practice_id, subject_id, text, answer_due_on)
	select (practice).tenant_id, (practice).id, (practice).subject_id, $2::jsonb ->> 'text',
		today_in_italy() + ($2::jsonb ->> 'termDays')::int
	from asked
	returning practice_id
)
select practice_json(practice), etag((practice).version) as etag from asked, noted
union all
select refuse_change(p, 'request-integration'), null from practices p where p.id = $1::uuid and not exists (select from asked)
