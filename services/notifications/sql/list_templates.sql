-- The tenant's own version of a template hides the common one.
select json_build_object('items', coalesce(json_agg(json_build_object(
	'id', id, 'language', language, 'version', version, 'kind', kind, 'topic', topic, 'title', title,
	'common', tenant_id = '*') order by id, language), '[]'))
from (
	select distinct on (id, language) *
	from templates
	where active
	order by id, language, tenant_id = '*'
) best
