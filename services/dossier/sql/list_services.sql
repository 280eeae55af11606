-- $1 words, $2 tenant, $3 category, $4 limit, $5 cursor "score~id". Without words every service has score 0.
with found as (
	select s, s.id, case when $1::text is null then 0
		else (10000 * (ts_rank(s.search, search_query($1)) + word_similarity(lower($1), s.spelling)))::int end as score
	from services s
	where s.active and ($2::text is null or s.tenant_id = $2) and ($3::text is null or s.category = $3)
		and ($1::text is null or s.search @@ search_query($1) or lower($1) <% s.spelling)
), page as (
	select f.*, row_number() over (order by f.score desc, f.id) as n
	from found f
	where $5::text is null
		or (-f.score, f.id) > (-split_part($5, '~', 1)::int, split_part($5, '~', 2)::uuid)
	order by f.score desc, f.id
	limit $4::int + 1
)
select json_strip_nulls(json_build_object(
	'items', coalesce(json_agg(service_summary_json(s) order by n) filter (where n <= $4::int), '[]'),
	'next', case when count(*) > $4::int then (array_agg(score || '~' || id order by n))[$4::int] end))
from page
