with withdrawn as (
	update practices p
	set state = t.to_state, changed_by = t.actor, changed_by_id = app_subject(), reason = $2::jsonb ->> 'reason',
		version = p.version + 1, updated_at = now(), suspended_on = null
	from transitions t
	where p.id = $1::uuid and t.action = 'withdraw' and t.from_state = p.state
	returning p as practice
)
select practice_json(practice), etag((practice).version) as etag from withdrawn
union all
select refuse_change(p, 'withdraw'), null from practices p where p.id = $1::uuid and not exists (select from withdrawn)
