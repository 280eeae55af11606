-- $2 the registration. A practice that was withdrawn meanwhile keeps its number and stays withdrawn.
update practices p
set registration = $2::jsonb, state = case when p.state = 'submitted' then 'registered' else p.state end,
	changed_by = 'system', changed_by_id = null, reason = null, version = p.version + 1, updated_at = now()
where p.id = $1::uuid and p.registration is null
