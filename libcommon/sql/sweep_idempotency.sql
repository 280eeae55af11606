WITH old AS (
	SELECT ctid FROM idempotency WHERE created_at < now() - interval '24 hours' LIMIT 1000
), removed AS (
	DELETE FROM idempotency USING old WHERE idempotency.ctid = old.ctid RETURNING 1
)
SELECT json_build_object('removed', count(*)) FROM removed
