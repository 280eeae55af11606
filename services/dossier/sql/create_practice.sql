with made as (
	insert into practices (tenant_id, subject_id, service_id, office, data, fee, term_days)
	select s.tenant_id, app_subject(), s.id, s.office, coalesce($1::jsonb -> 'data', '{}'), s.fee, s.term_days
	from services s
	where s.id = ($1::jsonb ->> 'serviceId')::uuid and s.active and s.online
	returning practices as practice
)
select practice_json(practice), etag((practice).version) as etag, '/dossier/v1/practices/' || (practice).id as location
from made
union all
select case
	when exists (select from services s where s.id = ($1::jsonb ->> 'serviceId')::uuid and s.active)
	then case when refuse(422, 'appointment-only', 'This service is given at the office, on appointment.') then null::json end
	else case when refuse(422, 'unknown-service', 'There is no such service.') then null::json end end, null, null
where not exists (select from made)
