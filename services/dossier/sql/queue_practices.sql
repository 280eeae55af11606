-- A tenant's queue, oldest first. Parameters as in own_practices.sql; without states, those that are still open.
-- Each state is its own short walk along the index that fits what is asked, so that the queue stays fast under a
-- million closed practices. (CASE and not coalesce: under row security the latter is no condition for an index.)
with page as (
	select q.id, practice_summary_json(q.p, s) as item, row_number() over (order by q.id) as n
	from (
		select c.p, c.id, c.tenant_id, c.service_id
		from (
			select state, case when $7::uuid is null then '00000000-0000-0000-0000-000000000000' else $7::uuid end as after
			from jsonb_array_elements_text(coalesce($1::jsonb, '["submitted", "registered", "payment-due",
				"in-review", "integration-requested", "approved", "rejected"]')) as asked (state)) as wanted
		cross join lateral (
			(select p, p.id, p.tenant_id, p.service_id
			from practices p
			where $3::text is null and $4::uuid is null
				and p.tenant_id = app_tenant() and p.state = wanted.state and p.id > wanted.after
				and ($2::uuid is null or p.service_id = $2::uuid)
			order by p.id
			limit $6::int + 1)
			union all
			(select p, p.id, p.tenant_id, p.service_id
			from practices p
			where $3::text is not null and $4::uuid is null and p.office = $3
				and p.tenant_id = app_tenant() and p.state = wanted.state and p.id > wanted.after
				and ($2::uuid is null or p.service_id = $2::uuid)
			order by p.id
			limit $6::int + 1)
			union all
			(select p, p.id, p.tenant_id, p.service_id
			from practices p
			where $4::uuid is not null and p.assignee_id = $4::uuid and ($3::text is null or p.office = $3)
				and p.tenant_id = app_tenant() and p.state = wanted.state and p.id > wanted.after
				and ($2::uuid is null or p.service_id = $2::uuid)
			order by p.id
			limit $6::int + 1)) c
		where $5::text is null or c.tenant_id = $5
		order by c.id
		limit $6::int + 1) q
	join services s on s.tenant_id = q.tenant_id and s.id = q.service_id
)
select json_strip_nulls(json_build_object(
	'items', coalesce(json_agg(item order by n) filter (where n <= $6::int), '[]'),
	'next', case when count(*) > $6::int then (array_agg(id order by n))[$6::int] end))
from page
