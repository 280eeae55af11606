-- $1 notice, $2 deliveries as in add_notice; none: the person is not reachable beyond the inbox. $3: the state then.
with planned as (
	insert into deliveries (tenant_id, notice_id, subject_id, channel, state, standby, address, address_hint, quiet_from,
		quiet_to, next_attempt_at)
	select n.tenant_id, n.id, n.subject_id, d.channel, 'created', d.standby, d.address, d.hint, d.quiet_from, d.quiet_to,
		case when not d.standby then after_quiet(now(), d.quiet_from, d.quiet_to) end
	from notices n, jsonb_to_recordset($2::jsonb) as d(channel text, address text, hint text, standby boolean,
		quiet_from time, quiet_to time)
	where n.tenant_id = app_tenant() and n.id = $1::uuid
	on conflict do nothing
)
update notices set state = case when $2::jsonb = '[]' then $3 else 'sending' end, updated_at = now()
where tenant_id = app_tenant() and id = $1::uuid and state = 'created'
