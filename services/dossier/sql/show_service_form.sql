-- What is already known goes into the form: what identity told about the person, by the field's x-prefill, or else
-- her latest answer to a field of the same name.
select json_build_object('serviceId', s.id, 'schema', s.form, 'ui', s.ui, 'attachments', s.attachments,
	'prefill', (
		select coalesce(json_object_agg(f.name, coalesce(known.value, earlier.value)), '{}')
		from jsonb_each(s.form -> 'properties') f (name, definition)
		left join lateral (
			select a.attributes -> substr(f.definition ->> 'x-prefill', 8) as value
			from applicants a where a.subject_id = app_subject() and f.definition ->> 'x-prefill' like 'person.%') known on true
		left join lateral (
			select p.data -> f.name as value
			from practices p
			where p.subject_id = app_subject() and p.state <> 'draft' and p.data ? f.name
			order by p.id desc limit 1) earlier on known.value is null
		where coalesce(known.value, earlier.value) is not null))
from services s
where s.id = $1::uuid and s.active
