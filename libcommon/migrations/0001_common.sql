-- What every service's database has: the settings that row security decides by, ids and times, refusals, and the plumbing of
-- events and idempotency. Runs as the owner of the database; portico_NAME is the service's role, portico_NAME_worker its worker.
--
-- The service's role holds no right on the plumbing tables: it works through the functions below, which run as the owner.

CREATE FUNCTION app_tenant() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
RETURN nullif(current_setting('app.tenant', true), '');

CREATE FUNCTION app_subject() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
RETURN nullif(current_setting('app.subject', true), '')::uuid;

-- RFC 9562 version 7: milliseconds, then 12 bits of the fraction so that ids of one session sort as they were made.
CREATE FUNCTION uuid7() RETURNS uuid LANGUAGE plpgsql VOLATILE PARALLEL SAFE AS $$
DECLARE
	micros bigint := (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;
	fraction int := ((micros % 1000) * 4096 / 1000)::int;
BEGIN
	RETURN encode(substring(int8send(micros / 1000) FROM 3)
		|| substring(int4send(28672 + fraction) FROM 3)
		|| substring(uuid_send(gen_random_uuid()) FROM 9), 'hex')::uuid;
END $$;

CREATE FUNCTION to_utc(moment timestamptz) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
RETURN to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');

-- A refusal of the domain: the API answers this status with this problem slug. Boolean, so that it fits into conditions.
CREATE FUNCTION refuse(status int, slug text, detail text DEFAULT NULL) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	RAISE EXCEPTION USING ERRCODE = 'PT' || status, MESSAGE = slug, DETAIL = coalesce(detail, '');
END $$;

-- The log of events. arrival is the order of emission. position is the place in the log and the id in the Redis stream: the
-- relay gives it, one relay at a time, so positions appear in order and without holes, whatever order transactions commit in.
CREATE TABLE outbox (
	tenant_id text NOT NULL,                        -- '' for events of no tenant
	id uuid NOT NULL DEFAULT uuid7(),
	arrival bigint GENERATED ALWAYS AS IDENTITY,
	position bigint,                                -- NULL: not yet given to the stream
	type text NOT NULL,
	aggregate_id uuid NOT NULL,
	sequence bigint NOT NULL,
	subject_id uuid,
	data jsonb NOT NULL,
	request_id text,
	traceparent text,
	occurred_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	PRIMARY KEY (tenant_id, id)
);
CREATE INDEX outbox_waiting ON outbox (arrival) WHERE position IS NULL;
CREATE UNIQUE INDEX outbox_position ON outbox (position) WHERE position IS NOT NULL;
CREATE INDEX outbox_occurred_at ON outbox (occurred_at);

-- The highest position given. One row.
CREATE TABLE event_log (
	tenant_id text NOT NULL DEFAULT '' CHECK (tenant_id = '') PRIMARY KEY,
	position bigint NOT NULL DEFAULT 0
);
INSERT INTO event_log DEFAULT VALUES;

CREATE TABLE event_sequences (
	tenant_id text NOT NULL,
	aggregate_id uuid NOT NULL,
	sequence bigint NOT NULL,
	PRIMARY KEY (tenant_id, aggregate_id)
);

-- Events that had their effect here.
CREATE TABLE inbox (
	tenant_id text NOT NULL,
	source text NOT NULL,
	event_id uuid NOT NULL,
	received_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant_id, source, event_id)
);
CREATE INDEX inbox_received_at ON inbox (received_at);

-- Up to which position everything of a source had its effect here, is a dead letter, or does not concern this service.
CREATE TABLE event_positions (
	tenant_id text NOT NULL DEFAULT '' CHECK (tenant_id = ''),
	source text NOT NULL,
	position bigint NOT NULL,
	PRIMARY KEY (tenant_id, source)
);

CREATE TABLE dead_letters (
	tenant_id text NOT NULL,
	source text NOT NULL,
	event_id uuid NOT NULL,
	position bigint NOT NULL,
	envelope jsonb NOT NULL,
	status int NOT NULL,                            -- what the handler answered last
	cause text NOT NULL,
	attempts int NOT NULL,
	redrive boolean NOT NULL DEFAULT false,         -- asked for: the redrive task takes it
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant_id, source, event_id)
);
CREATE INDEX dead_letters_redrive ON dead_letters (position) WHERE redrive;

CREATE TABLE idempotency (
	tenant_id text NOT NULL,
	caller text NOT NULL,
	operation text NOT NULL,
	key text NOT NULL,
	fingerprint text NOT NULL,
	status int NOT NULL,
	headers jsonb,
	body text,
	created_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant_id, caller, operation, key)
);
CREATE INDEX idempotency_created_at ON idempotency (created_at);

CREATE TABLE schema_migrations (
	tenant_id text NOT NULL DEFAULT '' CHECK (tenant_id = ''),
	set_name text NOT NULL,
	name text NOT NULL,
	checksum text NOT NULL,
	applied_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant_id, set_name, name)
);

DO $$
DECLARE
	plumbing text;
	service text := current_database();
	worker text := current_database() || '_worker';
BEGIN
	FOREACH plumbing IN ARRAY ARRAY['outbox', 'event_log', 'event_sequences', 'inbox', 'event_positions', 'dead_letters',
		'idempotency', 'schema_migrations']
	LOOP
		EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', plumbing);
		EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', plumbing);
		EXECUTE format('CREATE POLICY plumbing ON %I TO %I, %I USING (true) WITH CHECK (true)',
			plumbing, current_user, worker);
		EXECUTE format('REVOKE ALL ON %I FROM %I', plumbing, service);
	END LOOP;
	EXECUTE format('REVOKE ALL ON schema_migrations FROM %I', worker);
	EXECUTE format('GRANT SELECT ON schema_migrations TO %I, %I', service, worker);
	EXECUTE format('CREATE POLICY known ON schema_migrations FOR SELECT TO %I USING (true)', service);
END $$;

-- Emits an event in the transaction of its effect and returns its id. The lock on the aggregate's sequence lasts until the end
-- of the transaction: the events of an aggregate become visible in the order of their numbers.
--
-- A NOTIFY makes commits wait for each other, so it is sent only to a relay that sleeps. A sleeping relay holds the advisory
-- lock (1, 2); whoever emits takes it shared until its end, and notifies when that fails. A relay that cannot get the lock knows
-- that events are on their way and goes on looking.
CREATE FUNCTION emit_event(tenant text, type text, aggregate uuid, subject uuid, data jsonb DEFAULT '{}') RETURNS uuid
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
	number bigint;
	made uuid;
BEGIN
	IF NOT pg_try_advisory_xact_lock_shared(1, 2) THEN
		NOTIFY outbox;
	END IF;
	INSERT INTO event_sequences AS s (tenant_id, aggregate_id, sequence) VALUES (coalesce(emit_event.tenant, ''), aggregate, 1)
	ON CONFLICT (tenant_id, aggregate_id) DO UPDATE SET sequence = s.sequence + 1
	RETURNING sequence INTO number;
	INSERT INTO outbox (tenant_id, type, aggregate_id, sequence, subject_id, data, request_id, traceparent)
	VALUES (coalesce(emit_event.tenant, ''), emit_event.type, aggregate, number, subject, coalesce(emit_event.data, '{}'),
		nullif(current_setting('app.request_id', true), ''), nullif(current_setting('app.traceparent', true), ''))
	RETURNING id INTO made;
	RETURN made;
END $$;

-- The next events for the stream after a position, as CloudEvents 1.0. Numbers those that have no position yet; last is the
-- last id that the stream has, which is ahead of the log only after the database was set back: then the log goes on behind it.
-- previous is the position before in the log: a reader whose last one is smaller has missed something.
CREATE FUNCTION event_batch(after bigint, last bigint, size int)
RETURNS TABLE ("position" bigint, previous bigint, envelope text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
	top bigint;
	given bigint;
BEGIN
	IF EXISTS (SELECT FROM outbox WHERE position IS NULL) THEN
		SELECT greatest(l.position, last) INTO top FROM event_log l FOR UPDATE;
		WITH waiting AS (
			SELECT tenant_id, id, row_number() OVER (ORDER BY arrival) AS place
			FROM (SELECT tenant_id, id, arrival FROM outbox WHERE position IS NULL ORDER BY arrival LIMIT size) w
		), numbered AS (
			UPDATE outbox o SET position = top + place FROM waiting w
			WHERE o.tenant_id = w.tenant_id AND o.id = w.id
			RETURNING 1
		)
		SELECT count(*) INTO given FROM numbered;
		UPDATE event_log l SET position = top + given;
	END IF;
	RETURN QUERY
	SELECT o.position,
		coalesce(lag(o.position) OVER (ORDER BY o.position),
			(SELECT max(b.position) FROM outbox b WHERE b.position <= event_batch.after), 0),
		json_strip_nulls(json_build_object(
			'specversion', '1.0', 'id', o.id, 'type', 'it.portico.' || o.type,
			'source', '/' || substr(current_database(), 9), 'tenant', nullif(o.tenant_id, ''),
			'subject', o.subject_id, 'time', to_utc(o.occurred_at), 'datacontenttype', 'application/json',
			'sequence', o.sequence, 'aggregate', o.aggregate_id, 'dataversion', 1,
			'requestid', o.request_id, 'traceparent', o.traceparent, 'data', o.data))::text
	FROM outbox o WHERE o.position > event_batch.after
	ORDER BY o.position LIMIT size;
END $$;

-- Takes an event in: true the first time, false when it had its effect before. Waits for another who is at it.
CREATE FUNCTION inbox_enter(source text, event uuid) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
BEGIN
	INSERT INTO inbox (tenant_id, source, event_id) VALUES (coalesce(app_tenant(), ''), inbox_enter.source, event)
	ON CONFLICT DO NOTHING;
	RETURN FOUND;
END $$;

-- Whether a call with an Idempotency-Key is 'fresh', a 'replay' (with the stored answer), the key 'reused' for something else, or
-- 'in-flight'. The lock lasts until the end of the transaction, which also stores the answer.
CREATE FUNCTION idempotency_begin(caller text, operation text, key text, fingerprint text)
RETURNS TABLE (state text, status int, headers text, body text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
	held idempotency;
BEGIN
	IF NOT pg_try_advisory_xact_lock(hashtextextended(concat_ws(chr(10), app_tenant(), idempotency_begin.caller,
		idempotency_begin.operation, idempotency_begin.key), 0))
	THEN
		RETURN QUERY SELECT 'in-flight', NULL::int, NULL::text, NULL::text;
		RETURN;
	END IF;
	SELECT * INTO held FROM idempotency i WHERE i.tenant_id = coalesce(app_tenant(), '')
		AND i.caller = idempotency_begin.caller AND i.operation = idempotency_begin.operation
		AND i.key = idempotency_begin.key AND i.created_at > now() - interval '24 hours';
	IF NOT FOUND THEN
		RETURN QUERY SELECT 'fresh', NULL::int, NULL::text, NULL::text;
	ELSIF held.fingerprint <> idempotency_begin.fingerprint THEN
		RETURN QUERY SELECT 'reused', NULL::int, NULL::text, NULL::text;
	ELSE
		RETURN QUERY SELECT 'replay', held.status, held.headers::text, held.body;
	END IF;
END $$;

-- Keeps the answer of a fresh call. An older one under the same key has expired, or idempotency_begin would have found it.
CREATE FUNCTION idempotency_store(caller text, operation text, key text, fingerprint text, status int, headers jsonb, body text)
RETURNS void LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
	INSERT INTO idempotency (tenant_id, caller, operation, key, fingerprint, status, headers, body)
	VALUES (coalesce(app_tenant(), ''), $1, $2, $3, $4, $5, $6, $7)
	ON CONFLICT (tenant_id, caller, operation, key) DO UPDATE
	SET fingerprint = excluded.fingerprint, status = excluded.status, headers = excluded.headers, body = excluded.body,
		created_at = now()
$$;

DO $$
BEGIN
	EXECUTE format('REVOKE EXECUTE ON FUNCTION event_batch FROM %I', current_database());
END $$;
