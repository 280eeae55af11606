-- $1: the session, $2: the caller.
WITH mine AS (
	SELECT id FROM sessions WHERE id = $1::uuid AND subject_id = $2::uuid
), ended AS (
	UPDATE sessions s SET ended_at = now(), end_cause = 'ended by the person'
	FROM mine WHERE s.id = mine.id AND s.ended_at IS NULL
)
SELECT 'true'::json FROM mine
