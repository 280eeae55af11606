with expired as (
	update checkouts
	set state = 'expired'
	where state in ('preparing', 'ready') and expires_at <= now()
	returning 1
)
select json_build_object('expired', count(*)) from expired having count(*) > 0
