-- A notice that an operator wrote and that has no deliveries yet beyond the inbox.
select json_build_object('id', n.id, 'channels', n.channels, 'topic', n.topic, 'sender', sender_json(n.tenant_id))
from notices n
where n.id = $1::uuid and n.tenant_id = app_tenant() and n.state = 'created'
