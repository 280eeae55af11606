-- $1 match or null, $2 limit, $3 after
with page as (
	select r.id, receipt_json(r) as item
	from receipts r
	where r.tenant_id = app_tenant()
		and ($1::text is null or r.match = $1)
		and ($3::text is null or r.id < $3::uuid)
	order by r.id desc
	limit $2::int + 1
), numbered as (
	select *, row_number() over (order by id desc) as place from page
)
select json_strip_nulls(json_build_object(
	'items', coalesce(json_agg(item order by id desc) filter (where place <= $2::int), '[]'),
	'next', case when count(*) > $2::int then max(id::text) filter (where place = $2::int) end))
from numbered
