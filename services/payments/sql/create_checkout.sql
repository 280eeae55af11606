-- $1 tenant, $2 return URLs, $3 items of choose_instalments. Only the intent: the task `checkouts`, woken here, asks pagoPA.
with made as (
	insert into checkouts (tenant_id, person_id, return_urls)
	values ($1, app_subject(), $2::jsonb)
	returning tenant_id, id
), item as (
	insert into checkout_items (tenant_id, checkout_id, person_id, position_id, instalment, amount)
	select m.tenant_id, m.id, app_subject(), (i ->> 'positionId')::uuid, (i ->> 'instalment')::smallint, (i ->> 'amount')::bigint
	from made m, jsonb_array_elements($3::jsonb) as i
)
select json_build_object('id', m.id) from made m, pg_notify('tasks', 'checkouts')
