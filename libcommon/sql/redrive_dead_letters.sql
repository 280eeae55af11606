WITH asked AS (
	UPDATE dead_letters SET redrive = true RETURNING 1
)
SELECT count(*), pg_notify('tasks', 'redrive-dead-letters') FROM asked
