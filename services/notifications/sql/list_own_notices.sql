-- Of the citizen, from every tenant. The parameters are those of list_notices.
with found as (
	select n
	from notices n
	where n.subject_id = app_subject()
	and ($1::text is null or n.state = $1)
	and ($2::text is null or exists (
		select from deliveries d
		where d.tenant_id = n.tenant_id and d.notice_id = n.id and d.channel = $2 and not d.standby))
	and ($3::text is null or n.tenant_id = $3)
	and ($4::uuid is null or n.subject_id = $4::uuid)
	and ($5::uuid is null or n.id < $5::uuid)
	order by n.id desc
	limit $6::int + 1
)
select notice_page(array(select n from found), $6::int)
