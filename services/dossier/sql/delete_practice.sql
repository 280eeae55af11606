with held as (
	select p.tenant_id, p.id from practices p where p.id = $1::uuid and p.state = 'draft' for update
), emptied as (
	delete from documents d using held where d.tenant_id = held.tenant_id and d.practice_id = held.id
), gone as (
	delete from practices p using held where p.tenant_id = held.tenant_id and p.id = held.id returning p.id
)
select json_build_object('id', id) from gone
union all
select refuse_change(p, 'submit') from practices p where p.id = $1::uuid and not exists (select from held)
