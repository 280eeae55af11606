-- What the operators of a tenant see of its dead letters and ask for. The service's role still holds no right on the table.
CREATE FUNCTION dead_letter_page(after uuid, size int) RETURNS json
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
	WITH found AS (
		SELECT * FROM dead_letters d WHERE d.tenant_id = app_tenant() AND ($1 IS NULL OR d.event_id > $1)
		ORDER BY d.event_id LIMIT $2 + 1
	), shown AS (
		SELECT * FROM found ORDER BY event_id LIMIT $2
	)
	SELECT json_strip_nulls(json_build_object(
		'items', coalesce((SELECT json_agg(json_build_object('id', event_id, 'source', source, 'status', status,
			'problem', cause::json ->> 'problem', 'detail', cause::json ->> 'detail', 'attempts', attempts, 'redriven', redrive,
			'failedAt', to_utc(updated_at), 'event', envelope) ORDER BY event_id) FROM shown), '[]'),
		'next', CASE WHEN (SELECT count(*) FROM found) > $2 THEN (SELECT max(event_id::text) FROM shown) END))
$$;

-- Marks one event's letter (or with NULL all of the tenant) for delivery; how many there are. The task takes them.
CREATE FUNCTION dead_letters_redrive(event uuid) RETURNS int
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
	asked int;
BEGIN
	UPDATE dead_letters d SET redrive = true
	WHERE d.tenant_id = app_tenant() AND (event IS NULL OR d.event_id = event);
	GET DIAGNOSTICS asked = ROW_COUNT;
	PERFORM pg_notify('tasks', 'redrive-dead-letters');
	RETURN asked;
END $$;
