-- $1 the person as identity tells her, $2 the event's sequence. Practices that were sent in before her name was
-- known get it too.
with person as (
	select $1::jsonb as p
), kept as (
	insert into applicants (subject_id, given_name, family_name, fiscal_code, attributes, version)
	select (p ->> 'id')::uuid, p ->> 'givenName', p ->> 'familyName', p ->> 'fiscalCode',
		jsonb_strip_nulls(jsonb_build_object('givenName', p -> 'givenName', 'familyName', p -> 'familyName',
			'fiscalCode', p -> 'fiscalCode', 'birthDate', p -> 'birthDate', 'birthPlace', p -> 'birthPlace',
			'email', p #> '{contacts,email}', 'mobilePhone', p #> '{contacts,mobilePhone}',
			'address', p #> '{residence,address}', 'postalCode', p #> '{residence,postalCode}',
			'municipality', p #> '{residence,municipality}', 'province', p #> '{residence,province}')), $2::bigint
	from person
	on conflict (subject_id) do update
	set given_name = excluded.given_name, family_name = excluded.family_name, fiscal_code = excluded.fiscal_code,
		attributes = excluded.attributes, version = excluded.version
	where applicants.version < excluded.version
	returning subject_id, given_name, family_name, fiscal_code
)
update practices
set applicant_name = kept.given_name || ' ' || kept.family_name, applicant_fiscal_code = kept.fiscal_code
from kept
where practices.subject_id = kept.subject_id and practices.state <> 'draft' and practices.applicant_name is null
