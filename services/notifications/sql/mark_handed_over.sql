-- Zero rows: the claim has run out and somebody else has the delivery.
update deliveries set handed_over = true, next_attempt_at = now() + interval '2 minutes'
where tenant_id = $1 and notice_id = $2::uuid and channel = $3 and claim = $4::uuid
returning json_build_object('channel', channel)
