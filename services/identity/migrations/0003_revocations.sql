-- What was revoked, for the gateway: it looks here several times a second and refuses tokens that were given out before, so that nothing
-- waits for a token's ten minutes to pass. Rows are written by triggers in the transaction of what they tell of, whatever statement does
-- it, and kept for longer than any token lives.

CREATE TABLE revocations (
	tenant_id text NOT NULL DEFAULT '' CHECK (tenant_id = ''),
	id uuid NOT NULL DEFAULT uuid7(),
	kind text NOT NULL CHECK (kind IN ('session', 'client', 'subject')),
	revoked text NOT NULL,                          -- the id of the session, client or subject
	revoked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	position bigint,                                -- place in the feed; NULL: nobody has read it yet
	PRIMARY KEY (tenant_id, id)
);
CREATE INDEX revocations_unread ON revocations (revoked_at) WHERE position IS NULL;
CREATE UNIQUE INDEX revocations_position ON revocations (position) WHERE position IS NOT NULL;
CREATE INDEX revocations_revoked_at ON revocations (revoked_at);

-- The highest position given. One row.
CREATE TABLE revocation_feed (
	tenant_id text NOT NULL DEFAULT '' CHECK (tenant_id = '') PRIMARY KEY,
	position bigint NOT NULL DEFAULT 0
);
INSERT INTO revocation_feed DEFAULT VALUES;

-- A person who is kept out: she cannot log in, her sessions are over. (An operator is kept out by taking her roles.)
ALTER TABLE persons ADD COLUMN blocked_at timestamptz, ADD COLUMN block_cause text;

DO $$
DECLARE
	guarded text;
	service text := current_database();
BEGIN
	FOREACH guarded IN ARRAY ARRAY['revocations', 'revocation_feed'] LOOP
		EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', guarded);
		EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', guarded);
		EXECUTE format('CREATE POLICY owner ON %I TO %I USING (true) WITH CHECK (true)', guarded, current_user);
		EXECUTE format('REVOKE ALL ON %I FROM %I, %I', guarded, service, service || '_worker');
	END LOOP;
END $$;

-- ---- what is revoked

CREATE FUNCTION tell_session_revoked() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
	INSERT INTO revocations (kind, revoked) VALUES ('session', old.id);
	RETURN NULL;
END $$;
CREATE TRIGGER revoked_by_end AFTER UPDATE OF ended_at ON sessions FOR EACH ROW
	WHEN (old.ended_at IS NULL AND new.ended_at IS NOT NULL) EXECUTE FUNCTION tell_session_revoked();
CREATE TRIGGER revoked_by_expiry AFTER UPDATE OF expires_at ON sessions FOR EACH ROW
	WHEN (new.ended_at IS NULL AND new.expires_at <= now() AND old.expires_at > now()) EXECUTE FUNCTION tell_session_revoked();
CREATE TRIGGER revoked_by_removal AFTER DELETE ON sessions FOR EACH ROW
	WHEN (old.ended_at IS NULL AND old.expires_at > now()) EXECUTE FUNCTION tell_session_revoked();

CREATE FUNCTION tell_client_revoked() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
	INSERT INTO revocations (kind, revoked) VALUES ('client', old.id);
	RETURN NULL;
END $$;
CREATE TRIGGER revoked_by_suspension AFTER UPDATE OF suspended_at ON clients FOR EACH ROW
	WHEN (old.suspended_at IS NULL AND new.suspended_at IS NOT NULL) EXECUTE FUNCTION tell_client_revoked();
CREATE TRIGGER revoked_by_removal AFTER DELETE ON clients FOR EACH ROW EXECUTE FUNCTION tell_client_revoked();

CREATE FUNCTION tell_subject_revoked() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
	INSERT INTO revocations (kind, revoked) VALUES ('subject', old.id);
	RETURN NULL;
END $$;
CREATE TRIGGER revoked_by_removal AFTER DELETE ON persons FOR EACH ROW EXECUTE FUNCTION tell_subject_revoked();
-- What an operator may do is in her tokens: they end with the role, and the next refresh says what is left.
CREATE TRIGGER revoked_by_role AFTER UPDATE OF roles ON operators FOR EACH ROW
	WHEN (NOT old.roles <@ new.roles) EXECUTE FUNCTION tell_subject_revoked();
CREATE TRIGGER revoked_by_removal AFTER DELETE ON operators FOR EACH ROW EXECUTE FUNCTION tell_subject_revoked();

-- A block ends the sessions, too: they do not come back when it is lifted.
CREATE FUNCTION keep_blocked_out() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
	UPDATE sessions s SET ended_at = now(), end_cause = 'person blocked' WHERE s.subject_id = new.id AND s.ended_at IS NULL;
	INSERT INTO revocations (kind, revoked) VALUES ('subject', new.id);
	RETURN NULL;
END $$;
CREATE TRIGGER revoked_by_block AFTER UPDATE OF blocked_at ON persons FOR EACH ROW
	WHEN (old.blocked_at IS NULL AND new.blocked_at IS NOT NULL) EXECUTE FUNCTION keep_blocked_out();

-- No session begins while its person is blocked. The share lock makes it wait for a block that is under way, whose end of sessions would
-- not see this one.
CREATE FUNCTION refuse_blocked() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
	PERFORM refuse(403, 'person-blocked', 'This person cannot log in now.') FROM (
		SELECT p.blocked_at FROM persons p WHERE p.id = new.subject_id FOR SHARE) person
	WHERE person.blocked_at IS NOT NULL;
	RETURN new;
END $$;
CREATE TRIGGER refuse_blocked BEFORE INSERT ON sessions FOR EACH ROW WHEN (new.kind = 'citizen') EXECUTE FUNCTION refuse_blocked();

-- By hand, as the owner of the database: SELECT block_person('BNCNNA85C52A944U', 'why'); false when there is no such person.
CREATE FUNCTION block_person(code text, cause text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	UPDATE persons p SET blocked_at = coalesce(p.blocked_at, now()), block_cause = cause WHERE p.fiscal_code = code;
	RETURN FOUND;
END $$;
CREATE FUNCTION unblock_person(code text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	UPDATE persons p SET blocked_at = NULL, block_cause = NULL WHERE p.fiscal_code = code;
	RETURN FOUND;
END $$;

-- ---- the feed

-- What was revoked after a cursor, in pages of 1000. The cursor is a position and the start of the database server.
--
-- Why nothing is missed: a row gets its position not when it is written but when it is first read, by one reader at a time, who holds
-- the row of revocation_feed until the commit. So positions become visible in their order, and a row that was committed late gets one
-- behind everything that anybody has seen. A cursor of another server start, or ahead of the log, is of a database that was set back or
-- has failed over: then all is told again.
--
-- notBefore: a token of that client or subject is refused when its iat is smaller. Two seconds are added, because a token that was decided
-- on before the revocation may be signed a moment after it, by a clock that is not the database's. A session never comes back, so all
-- its tokens are refused and there is no notBefore.
CREATE FUNCTION list_revocations(after text) RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
	run text := floor(extract(epoch FROM pg_postmaster_start_time()) * 1000000)::text;
	top bigint;
	known bigint := 0;
BEGIN
	IF EXISTS (SELECT FROM revocations r WHERE r.position IS NULL) THEN
		SELECT f.position INTO top FROM revocation_feed f FOR UPDATE;
		WITH numbered AS (
			UPDATE revocations r SET position = top + waiting.place
			FROM (SELECT w.id, row_number() OVER (ORDER BY w.revoked_at, w.id) AS place FROM revocations w WHERE w.position IS NULL) waiting
			WHERE r.tenant_id = '' AND r.id = waiting.id RETURNING r.position
		)
		UPDATE revocation_feed f SET position = greatest(top, (SELECT max(n.position) FROM numbered n));
	END IF;
	SELECT f.position INTO top FROM revocation_feed f;
	IF split_part(after, '-', 2) = run AND split_part(after, '-', 1)::bigint <= top THEN
		known := split_part(after, '-', 1)::bigint;
	END IF;
	RETURN (
		WITH page AS (
			SELECT r.position, json_strip_nulls(json_build_object('kind', r.kind, 'id', r.revoked, 'revokedAt', to_utc(r.revoked_at),
				'notBefore', CASE WHEN r.kind <> 'session' THEN ceil(extract(epoch FROM r.revoked_at))::bigint + 2 END)) AS item
			FROM revocations r WHERE r.position > known AND r.revoked_at > now() - interval '15 minutes'
			ORDER BY r.position LIMIT 1000
		)
		SELECT json_build_object('items', coalesce(json_agg(p.item ORDER BY p.position), '[]'),
			'next', CASE WHEN count(*) = 1000 THEN max(p.position) ELSE top END || '-' || run)
		FROM page p);
END $$;

CREATE FUNCTION sweep_revocations() RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
	DELETE FROM revocations r WHERE r.revoked_at < now() - interval '15 minutes';
	RETURN '{}';
END $$;

DO $$
DECLARE
	service text := current_database();
	worker text := current_database() || '_worker';
BEGIN
	EXECUTE format('REVOKE EXECUTE ON FUNCTION tell_session_revoked, tell_client_revoked, tell_subject_revoked, keep_blocked_out,
		refuse_blocked, block_person, unblock_person FROM %I, %I', service, worker);
	EXECUTE format('REVOKE EXECUTE ON FUNCTION list_revocations FROM %I', worker);
	EXECUTE format('REVOKE EXECUTE ON FUNCTION sweep_revocations FROM %I', service);
END $$;
