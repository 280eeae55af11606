-- $2 the registration. A practice that was withdrawn meanwhile keeps its number and stays withdrawn. The register has one
-- valid number at a time, so a newer one stands in the place of one that was annulled, and an older one is heard late.
update practices p
set registration = $2::jsonb, state = case when p.state = 'submitted' then 'registered' else p.state end,
	changed_by = 'system', changed_by_id = null, reason = null, version = p.version + 1, updated_at = now()
where p.id = $1::uuid
	and (p.registration is null or (p.registration ->> 'id')::uuid < ($2::jsonb ->> 'id')::uuid)
