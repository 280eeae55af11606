-- $2 approve or reject, $3 the operator, $4 the note or reason; $5 name, $6 size, $7 sha256 of the document, which
-- is in its place.
with decided as (
	update practices p
	set state = t.to_state, changed_by = t.actor, changed_by_id = $3::uuid, reason = $4,
		version = p.version + 1, updated_at = now(), outcome = t.to_state, decision_text = $4, decided_at = now(),
		suspended_days = p.suspended_days + coalesce(today_in_italy() - p.suspended_on, 0), suspended_on = null,
		due_on = p.original_due_on + p.suspended_days + coalesce(today_in_italy() - p.suspended_on, 0)
	from transitions t
	where p.id = $1::uuid and t.action = $2 and t.from_state = p.state
	returning p as practice
), written as (
	insert into documents (tenant_id, practice_id, subject_id, kind, name, media_type, size, sha256, uploaded_by)
	select (practice).tenant_id, (practice).id, (practice).subject_id, 'decision', $5, 'application/pdf', $6::bigint, $7, 'office'
	from decided
	returning id
)
select practice_json(practice), etag((practice).version) as etag from decided, written
