WITH old AS (
	SELECT ctid FROM inbox WHERE received_at < now() - interval '40 days' LIMIT 1000
), removed AS (
	DELETE FROM inbox USING old WHERE inbox.ctid = old.ctid RETURNING 1
)
SELECT json_build_object('removed', count(*)) FROM removed
