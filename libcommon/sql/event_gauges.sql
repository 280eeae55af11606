WITH waiting AS (
	SELECT occurred_at FROM outbox WHERE position IS NULL
	UNION ALL
	SELECT occurred_at FROM outbox WHERE position > $1::bigint AND $1::bigint >= 0
)
SELECT count(*), coalesce(extract(epoch FROM now() - min(occurred_at)), 0), (SELECT count(*) FROM dead_letters) FROM waiting
