-- $1 tenant, $2 checkout, $3 the payment page, or $4 why there is none for good, or neither: try again after a growing pause
update checkouts
set state = case when $3::text is not null then 'ready' when $4::text is not null then 'failed' else state end,
	payment_url = $3,
	failure = $4,
	next_attempt_at = now() + interval '1 second' * (2 ^ attempts)
where tenant_id = $1 and id = $2::uuid and state = 'preparing'
returning json_build_object('state', state)
