-- The term begins on the day the application is received (law 241/1990, art. 2, paragraph 6).
with sent as (
	update practices p
	set state = t.to_state, changed_by = t.actor, changed_by_id = app_subject(), reason = null,
		version = p.version + 1, updated_at = now(), submitted_at = now(),
		fee = s.fee, term_days = s.term_days, started_on = today_in_italy(),
		original_due_on = today_in_italy() + s.term_days, due_on = today_in_italy() + s.term_days,
		applicant_name = (select a.given_name || ' ' || a.family_name from applicants a where a.subject_id = p.subject_id),
		applicant_fiscal_code = (select a.fiscal_code from applicants a where a.subject_id = p.subject_id)
	from transitions t, services s
	where p.id = $1::uuid and t.action = 'submit' and t.from_state = p.state
		and s.tenant_id = p.tenant_id and s.id = p.service_id
	returning p as practice
)
select practice_json(practice), etag((practice).version) as etag from sent
