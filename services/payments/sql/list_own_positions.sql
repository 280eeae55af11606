-- $1 states or null, $2 tenant, $3 fiscal code, $4 notice number, $5 and $6 reference, $7 limit, $8 after. What the citizen owes, in the whole area.
select position_page(array(
	select p
	from positions p
	where p.person_id = app_subject()
		and ($1::jsonb is null or $1::jsonb ? p.state)
		and ($2::text is null or p.tenant_id = $2)
		and ($3::text is null or p.debtor_fiscal_code = upper($3))
		and ($4::text is null or p.id = any (array(select i.position_id from instalments i where i.notice_number = $4)))
		and ($5::text is null or p.reference_kind = $5)
		and ($6::text is null or p.reference_id = $6)
		and ($8::text is null or p.id < $8::uuid)
	order by p.id desc
	limit $7::int + 1), $7::int)
