-- $1 the registration's id: annulled, never taken away.
with noted as (
	update documents d
	set registration = d.registration || jsonb_build_object('annulledAt', to_utc(now()))
	where d.registration ->> 'id' = $1 and d.practice_id = $2::uuid
)
update practices p
set registration = p.registration || jsonb_build_object('annulledAt', to_utc(now())), version = p.version + 1, updated_at = now()
where p.id = $2::uuid and p.registration ->> 'id' = $1
