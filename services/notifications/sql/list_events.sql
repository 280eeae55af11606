-- $1 after, $2 types, $3 subject, $4 limit. One snapshot: whatever is not in the page comes after next. At most 10,000 events are
-- looked at when only some are wanted, else as many as are shown.
with bounds as (
	select head.position as head, coalesce(t.swept, 0) as swept,
		case when $1 = 'end' then head.position when $1 is null then coalesce(t.swept, 0) else $1::bigint end as start
	from feed_head head left join feed_tenants t on t.tenant_id = app_tenant()
), looked as (
	select e.position, e.type, e.subject_id, e.envelope
	from bounds b cross join lateral (
		select * from feed_events e
		where e.tenant_id = app_tenant() and e.position > b.start
		order by e.position limit case when $2::jsonb is null and $3::uuid is null then $4::int else 10000 end) e
), page as (
	select position, envelope from looked
	where ($2::jsonb is null or type in (select jsonb_array_elements_text($2::jsonb))) and ($3::uuid is null or subject_id = $3::uuid)
	order by position limit $4::int
), counts as (
	select (select count(*) from page) as shown, (select count(*) from looked) as seen
)
select json_build_object(
	'items', (select coalesce(json_agg(envelope::json order by position), '[]') from page),
	'next', case when shown = $4::int then (select max(position) from page) when seen = 10000 then (select max(position) from looked)
		else head end::text,
	'more', shown = $4::int or seen = 10000)
from bounds, counts
where case when start between swept and head then true
	else refuse(410, 'cursor-expired', 'What comes after this cursor is no longer kept as a whole. Begin anew with after=end.') end
