-- What a notice is made from: the active template, the tenant's own before the common one, Italian where the person's language has none,
-- and the sender. $1 id, $2 language
select json_build_object(
	'id', t.id, 'version', t.version, 'topic', t.topic, 'subject', t.subject, 'text', t.body, 'channels', t.channels,
	'sender', sender_json(app_tenant()))
from templates t
where t.id = $1 and t.language in ($2, 'it') and t.active and t.kind = 'notice'
order by t.language <> $2, t.tenant_id = '*'
limit 1
