-- $2 name, $3 kind, $4 media type, $5 size, $6 sha256. Of the name only what follows the last slash is kept, as a
-- label. The practice is held so that no document slips in behind a submission, and the digest so that the file is
-- not being removed (migrations/0003_loose_files.sql).
with loose as (
	select l.doomed from loose_files l where l.sha256 = $6 for update
), held as (
	select p from practices p where p.id = $1::uuid and p.state in ('draft', 'integration-requested') for update
), fit as (
	select p,
		$3 = 'other' or exists (select from services s, jsonb_array_elements(s.attachments) a
			where s.tenant_id = (p).tenant_id and s.id = (p).service_id and a ->> 'kind' = $3) as known,
		(select count(*) from documents d where d.practice_id = (p).id) < 50 as room,
		exists (select from loose where doomed) as doomed
	from held
), made as (
	insert into documents (tenant_id, practice_id, subject_id, kind, name, media_type, size, sha256, uploaded_by)
	select (p).tenant_id, (p).id, (p).subject_id, $3,
		coalesce(nullif(regexp_replace($2, '^.*[/\\]|[[:cntrl:]]', '', 'g'), ''), 'documento'), $4, $5::bigint, $6, 'citizen'
	from fit where known and room and not doomed
	returning documents as document
)
select document_json(document), '/dossier/v1/documents/' || (document).id as location from made
union all
select case when not known
	then case when refuse(422, 'unknown-document-kind', 'The service asks for no attachment of this kind; use "other".')
		then null::json end
	when not room then case when refuse(409, 'too-many-documents', 'A practice takes at most 50 documents.') then null::json end
	else case when refuse(503, 'unavailable', 'This very file is just being removed: try again in a moment.')
		then null::json end end, null
from fit where not (known and room and not doomed)
union all
select case when refuse(409, 'wrong-state', format('The practice is in state %s.', p.state)) then null::json end, null
from practices p where p.id = $1::uuid and not exists (select from held)
