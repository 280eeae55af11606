-- Ending one that has ended is not an error.
WITH ended AS (
	UPDATE delegations d SET ended_at = coalesce(d.ended_at, now()),
		ended_by = coalesce(d.ended_by, CASE WHEN d.grantor_id = app_subject() THEN 'grantor' ELSE 'delegate' END)
	WHERE d.id = $1::uuid RETURNING d.id
)
SELECT 'true'::json FROM ended
