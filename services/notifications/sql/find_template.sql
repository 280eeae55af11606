-- What a notice is made from: the active template, the layout of the e-mail that will carry it, and the sender. $1 id
select json_build_object(
	'id', t.id, 'version', t.version, 'topic', t.topic, 'subject', t.subject, 'text', t.body, 'channels', t.channels,
	'sender', sender_json(app_tenant()))
from templates t
where t.id = $1 and t.language = 'it' and t.active
order by t.tenant_id = '*'
limit 1
