with marked as (
	update notices set state = 'read', read_at = now(), updated_at = now()
	where id = $1::uuid and subject_id = app_subject() and read_at is null
	returning tenant_id, id
)
update deliveries d set state = 'read', updated_at = now()
from marked
where d.tenant_id = marked.tenant_id and d.notice_id = marked.id and d.channel = 'inbox'
