-- $1 states or null, $2 tenant, $3 fiscal code, $4 notice number, $5 and $6 reference, $7 limit, $8 after. What is owed to the caller's tenant.
--
-- One of the branches of `found` runs, the one with the narrowest index that the filters allow: a plan made once then serves them all.
-- The last one takes the newest of each state; `between` with `order by state` leaves only the index that has both to choose from.
with found as (
	select p.* from positions p
	where $4::text is not null and p.id = any (array(select i.position_id from instalments i where i.notice_number = $4))
	union all
	select p.* from positions p
	where $4::text is null and $6::text is not null and p.reference_id = $6
	union all
	select p.* from positions p
	where $4::text is null and $6::text is null and $3::text is not null
		and p.tenant_id = app_tenant() and p.debtor_fiscal_code = upper($3)
	union all
	select p.*
	from unnest(array['open', 'partly-paid', 'paid', 'expired', 'cancelled']) as wanted(state)
	cross join lateral (
		select * from positions q
		where $3::text is null and $4::text is null and $6::text is null
			and q.tenant_id = app_tenant() and q.state between wanted.state and wanted.state
			and ($1::jsonb is null or $1::jsonb ? wanted.state)
			and ($5::text is null or q.reference_kind = $5)
			and q.id < coalesce($8::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
		order by q.state desc, q.id desc
		limit $7::int + 1) as p
)
select position_page(array(
	select row(p.*)::positions
	from found p
	where p.tenant_id = app_tenant()
		and ($1::jsonb is null or $1::jsonb ? p.state)
		and ($2::text is null or p.tenant_id = $2)
		and ($3::text is null or p.debtor_fiscal_code = upper($3))
		and ($5::text is null or p.reference_kind = $5)
		and ($6::text is null or p.reference_id = $6)
		and ($8::text is null or p.id < $8::uuid)
	order by p.id desc
	limit $7::int + 1), $7::int)
