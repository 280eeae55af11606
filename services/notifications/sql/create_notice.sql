-- $1 body of the request, $2 the operator. Who it reaches on which channel is decided when the event is consumed.
with notice as (
	insert into notices (tenant_id, subject_id, author_id, topic, subject, body, link, reference, channels, state)
	select app_tenant(), ($1::jsonb ->> 'personId')::uuid, $2, 'messages', $1::jsonb ->> 'subject', replace($1::jsonb ->> 'text', E'\r', ''),
		s.area_url, $1::jsonb -> 'reference',
		(select array_agg(value) from jsonb_array_elements_text($1::jsonb -> 'channels')), 'created'
	from (select) always left join senders s on s.tenant_id = app_tenant()
	returning *
), inbox as (
	insert into deliveries (tenant_id, notice_id, subject_id, channel, state)
	select tenant_id, id, subject_id, 'inbox', 'delivered' from notice
)
select json_build_object('id', id,
	'event', emit_event(tenant_id, 'notice.requested', id, subject_id, jsonb_build_object('noticeId', id)))
from notice
