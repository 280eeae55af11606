-- Ending one that has ended is not an error.
WITH ended AS (
	UPDATE mandates m SET ended_at = coalesce(m.ended_at, now()),
		ended_by = coalesce(m.ended_by, CASE WHEN app_tenant() IS NULL THEN 'person' ELSE 'office' END)
	WHERE m.id = $1::uuid RETURNING m.id
)
SELECT 'true'::json FROM ended
