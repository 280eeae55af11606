with held as (
	select p.tenant_id, p.id
	from practices p
	where p.id = (select d.practice_id from documents d where d.id = $1::uuid) and p.state = 'draft'
	for update
), gone as (
	delete from documents d using held
	where d.tenant_id = held.tenant_id and d.practice_id = held.id and d.id = $1::uuid
	returning d.id
)
select json_build_object('id', id) from gone
union all
select refuse_change(p, 'submit')
from practices p
where p.id = (select d.practice_id from documents d where d.id = $1::uuid) and not exists (select from held)
