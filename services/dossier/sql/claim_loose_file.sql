-- One file that lost a row ten minutes ago (no upload lasts that long): doomed, or let be when there is another row.
with candidate as (
	select l.tenant_id, l.sha256, exists (select from documents d where d.sha256 = l.sha256) as needed
	from loose_files l
	where l.since < now() - interval '10 minutes'
	order by l.since
	limit 1
	for update skip locked
), spared as (
	delete from loose_files l using candidate c where l.tenant_id = c.tenant_id and l.sha256 = c.sha256 and c.needed
), condemned as (
	update loose_files l set doomed = true from candidate c
	where l.tenant_id = c.tenant_id and l.sha256 = c.sha256 and not c.needed
)
select json_build_object('tenant', tenant_id, 'sha256', sha256, 'needed', needed) from candidate
