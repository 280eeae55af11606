-- Ends at most 500 holds; gives their number, or no row when there was none.
WITH ended AS (
	SELECT id FROM appointments WHERE state = 'held' AND held_until <= now() ORDER BY held_until LIMIT 500 FOR UPDATE SKIP LOCKED
), freed AS (
	SELECT id, free_place(id) FROM ended
), marked AS (
	UPDATE appointments a SET state = 'expired', version = version + 1 FROM freed WHERE a.id = freed.id RETURNING 1
)
SELECT json_build_object('ended', count(*)) FROM marked HAVING count(*) > 0
