WITH old AS (
	SELECT ctid FROM outbox WHERE occurred_at < now() - interval '30 days' AND position IS NOT NULL LIMIT 1000
), removed AS (
	DELETE FROM outbox USING old WHERE outbox.ctid = old.ctid RETURNING 1
)
SELECT json_build_object('removed', count(*)) FROM removed
