-- $1 person (a citizen) or null, $2 the caller's tenant or null, $3 states or null, $4 tenant, $5 fiscal code, $6 notice number,
-- $7 and $8 reference, $9 limit, $10 after
with page as (
	select p.id, position_json(p) as item
	from positions p
	where ($1::uuid is null or p.person_id = $1::uuid)
		and ($2::text is null or p.tenant_id = $2)
		and ($3::jsonb is null or $3::jsonb ? p.state)
		and ($4::text is null or p.tenant_id = $4)
		and ($5::text is null or p.debtor_fiscal_code = upper($5))
		and ($6::text is null or exists (select from instalments i
			where i.tenant_id = p.tenant_id and i.position_id = p.id and i.notice_number = $6))
		and ($7::text is null or p.reference_kind = $7)
		and ($8::text is null or p.reference_id = $8)
		and ($10::text is null or p.id < $10::uuid)
	order by p.id desc
	limit $9::int + 1
), numbered as (
	select *, row_number() over (order by id desc) as place from page
)
select json_strip_nulls(json_build_object(
	'items', coalesce(json_agg(item order by id desc) filter (where place <= $9::int), '[]'),
	'next', case when count(*) > $9::int then max(id::text) filter (where place = $9::int) end))
from numbered
