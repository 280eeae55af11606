-- What must hold before the draft is sent in; the draft stays as it is until the transaction ends.
with held as (
	select p from practices p where p.id = $1::uuid and p.state = 'draft' for update
)
select json_build_object('data', (held.p).data, 'form', s.form, 'missing', (
	select coalesce(json_agg(a -> 'kind'), '[]')
	from jsonb_array_elements(s.attachments) a
	where (a -> 'required')::boolean and not exists (
		select from documents d where d.practice_id = (held.p).id and d.kind = a ->> 'kind')))
from held
join services s on s.tenant_id = (held.p).tenant_id and s.id = (held.p).service_id
union all
select refuse_change(p, 'submit') from practices p where p.id = $1::uuid and not exists (select from held)
