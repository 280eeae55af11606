-- $2 the body, $3 who writes (citizen or office), $4 her id.
with made as (
	insert into messages (tenant_id, practice_id, subject_id, sender, sender_id, text)
	select p.tenant_id, p.id, p.subject_id, $3, $4::uuid, $2::jsonb ->> 'text'
	from practices p where p.id = $1::uuid and p.state <> 'draft'
	returning messages as message
), told as (
	select emit_event((message).tenant_id, 'message.posted', (message).practice_id, (message).subject_id,
		jsonb_build_object('practiceId', (message).practice_id, 'messageId', (message).id, 'from', (message).sender))
	from made
)
select message_json(message) from made, told
union all
select case when refuse(409, 'wrong-state', 'A draft has no office to write to yet.') then null::json end
from practices p where p.id = $1::uuid and not exists (select from made)
