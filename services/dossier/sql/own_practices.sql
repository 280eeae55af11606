-- A citizen's own, newest first. $1 states (JSON), $2 service, $3 office, $4 assignee, $5 tenant, $6 limit, $7
-- cursor. (CASE and not coalesce: under row security the latter is no condition for an index.)
with page as (
	select p.id, practice_summary_json(p, s) as item, row_number() over (order by p.id desc) as n
	from practices p
	join services s on s.tenant_id = p.tenant_id and s.id = p.service_id
	where p.subject_id = app_subject()
		and p.id < case when $7::uuid is null then 'ffffffff-ffff-ffff-ffff-ffffffffffff' else $7::uuid end
		and ($1::jsonb is null or $1::jsonb ? p.state) and ($2::uuid is null or p.service_id = $2::uuid)
		and ($3::text is null or p.office = $3) and ($4::uuid is null or p.assignee_id = $4::uuid)
		and ($5::text is null or p.tenant_id = $5)
	order by p.id desc
	limit $6::int + 1
)
select json_strip_nulls(json_build_object(
	'items', coalesce(json_agg(item order by n) filter (where n <= $6::int), '[]'),
	'next', case when count(*) > $6::int then (array_agg(id order by n))[$6::int] end))
from page
