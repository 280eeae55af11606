-- $1 id, $2 language
select json_strip_nulls(json_build_object(
	'id', id, 'language', language, 'version', version, 'kind', kind, 'topic', topic, 'title', title,
	'common', tenant_id = '*', 'subject', subject, 'text', body, 'channels', channels, 'sample', sample))
from templates
where id = $1 and language = $2 and active
order by tenant_id = '*'
limit 1
