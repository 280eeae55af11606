-- $1 state, $2 channel, $3 tenant, $4 person, $5 after, $6 limit
with found as (
	select n
	from notices n
	where ($1::text is null or n.state = $1)
	and ($2::text is null or exists (
		select from deliveries d
		where d.tenant_id = n.tenant_id and d.notice_id = n.id and d.channel = $2 and not d.standby))
	and ($3::text is null or n.tenant_id = $3)
	and ($4::uuid is null or n.subject_id = $4::uuid)
	and ($5::uuid is null or n.id < $5::uuid)
	and (n.tenant_id = app_tenant() or n.subject_id = app_subject())
	order by n.id desc
	limit $6::int + 1
), page as (
	select n from found order by (n).id desc limit $6::int
)
select json_strip_nulls(json_build_object(
	'items', coalesce((select json_agg(notice_summary(n) order by (n).id desc) from page), '[]'),
	'next', case when (select count(*) from found) > $6::int
		then (select (n).id from page order by (n).id limit 1) end))
