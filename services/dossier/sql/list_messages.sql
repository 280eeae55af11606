-- $2 limit, $3 cursor; oldest first.
select json_strip_nulls(json_build_object(
	'items', coalesce(json_agg(message_json(page.m) order by page.id) filter (where n <= $2::int), '[]'),
	'next', case when count(page.id) > $2::int then (array_agg(page.id order by page.id))[$2::int] end))
from practices p
left join lateral (
	select m, m.id, row_number() over (order by m.id) as n
	from messages m
	where m.practice_id = p.id and m.id > case when $3::uuid is null then '00000000-0000-0000-0000-000000000000' else $3::uuid end
	order by m.id
	limit $2::int + 1) page (m, id, n) on true
where p.id = $1::uuid
group by p.id
