-- Logout: the front end asks for it with an id token (RP-initiated), and front ends that have an address for it are told of each end of
-- their sessions, whatever ended them (back-channel logout). Telling is a task's work, never done while somebody waits.

-- Again with its body as text, which does not hold the table's columns fast.
DROP FUNCTION proven_client_json;
CREATE FUNCTION proven_client_json(client clients) RETURNS json LANGUAGE sql STABLE AS $$
	SELECT json_build_object('id', client.id, 'tenant', client.tenant_id, 'kind', client.kind, 'scopes', client.scopes,
		'confidential', client.secret_sha256 IS NOT NULL OR client.jwks IS NOT NULL)
$$;

ALTER TABLE clients
	ADD COLUMN post_logout_redirect_uris text[] NOT NULL DEFAULT '{}'
		CHECK (array_to_string(post_logout_redirect_uris, ' ') !~ '[#"<>\\]'),
	ADD COLUMN backchannel_logout_uri text CHECK (backchannel_logout_uri ~ '^https?://[^#"<>\\[:space:]]+$');

CREATE TABLE logout_notices (
	id uuid PRIMARY KEY DEFAULT uuid7(),
	client_id text NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
	session_id uuid NOT NULL,
	subject_id uuid NOT NULL,
	attempts int NOT NULL DEFAULT 0,
	due_at timestamptz NOT NULL DEFAULT now(),
	settled_at timestamptz,
	outcome text                                    -- 'told', or why it was given up
);
CREATE INDEX logout_notices_due ON logout_notices (due_at) WHERE settled_at IS NULL;
CREATE INDEX logout_notices_settled ON logout_notices (settled_at) WHERE settled_at IS NOT NULL;

ALTER TABLE logout_notices ENABLE ROW LEVEL SECURITY;
ALTER TABLE logout_notices FORCE ROW LEVEL SECURITY;
DO $$
DECLARE
	service text := current_database();
BEGIN
	EXECUTE format('CREATE POLICY owner ON logout_notices TO %I USING (true) WITH CHECK (true)', current_user);
	EXECUTE format('REVOKE ALL ON logout_notices FROM %I, %I', service, service || '_worker');
END $$;

CREATE FUNCTION announce_logout() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
	INSERT INTO logout_notices (client_id, session_id, subject_id)
	SELECT c.id, old.id, old.subject_id FROM clients c WHERE c.id = old.client_id AND c.backchannel_logout_uri IS NOT NULL;
	IF FOUND THEN
		NOTIFY tasks, 'backchannel-logout';
	END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER announced AFTER UPDATE OF ended_at ON sessions FOR EACH ROW
	WHEN (old.ended_at IS NULL AND new.ended_at IS NOT NULL) EXECUTE FUNCTION announce_logout();

-- Ends the session that an id token names, when it is of that client and subject, and says where the browser may go:
-- {"client", "uris"}; NULL when there never was such a session.
CREATE FUNCTION end_session_of_hint(session uuid, client text, subject uuid) RETURNS json
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
	WITH named AS (
		SELECT s.id FROM sessions s WHERE s.id = session AND s.client_id = client AND s.subject_id = subject
	), ended AS (
		UPDATE sessions s SET ended_at = now(), end_cause = 'logged out' FROM named
		WHERE s.id = named.id AND s.ended_at IS NULL
	)
	SELECT json_build_object('client', c.name) FROM named, clients c WHERE c.id = client
$$;

CREATE FUNCTION logout_uris(client text) RETURNS json LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
	SELECT to_json(c.post_logout_redirect_uris) FROM clients c WHERE c.id = client
$$;

-- The next front end to tell, or NULL. Who takes one has until the next attempt is due to say what came of it.
CREATE FUNCTION claim_logout_notice() RETURNS json LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
	WITH claimed AS (
		UPDATE logout_notices n SET attempts = n.attempts + 1, due_at = now() + make_interval(secs => 30 * 2 ^ n.attempts)
		WHERE n.id = (SELECT w.id FROM logout_notices w WHERE w.settled_at IS NULL AND w.due_at <= now()
			ORDER BY w.due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
		RETURNING n.*
	)
	SELECT json_build_object('id', n.id, 'client', n.client_id, 'uri', c.backchannel_logout_uri, 'sid', n.session_id, 'sub', n.subject_id)
	FROM claimed n JOIN clients c ON c.id = n.client_id
$$;

-- What came of it: told, refused for good, or to be tried again (outcome NULL), seven times within an hour. While one front end does
-- not answer, its other notices wait with the failed one and do not hold up those of others.
CREATE FUNCTION settle_logout_notice(notice uuid, outcome text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
	tried logout_notices;
BEGIN
	UPDATE logout_notices n SET settled_at = CASE WHEN settle_logout_notice.outcome IS NOT NULL OR n.attempts >= 7 THEN now() END,
		outcome = coalesce(settle_logout_notice.outcome, 'no answer')
	WHERE n.id = notice RETURNING * INTO tried;
	UPDATE logout_notices n SET due_at = greatest(n.due_at, tried.due_at)
	WHERE settle_logout_notice.outcome IS NULL AND n.client_id = tried.client_id AND n.settled_at IS NULL;
END $$;

-- ---- id tokens live as long as their session, as hints: the public halves of retired keys are kept for that long, unpublished

ALTER TABLE signing_keys DROP CONSTRAINT signing_keys_state_check;
ALTER TABLE signing_keys ADD CONSTRAINT signing_keys_state_check CHECK (state IN ('next', 'current', 'previous', 'retired'));
DROP INDEX signing_keys_one_of_each;
CREATE UNIQUE INDEX signing_keys_one_of_each ON signing_keys (state) WHERE state IN ('next', 'current');

CREATE OR REPLACE FUNCTION list_signing_keys() RETURNS json LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
	SELECT json_build_object('keys', coalesce(json_agg(json_build_object('kid', k.kid, 'state', k.state, 'public', k.public,
		'sealed', k.sealed) ORDER BY k.since), '[]')) FROM signing_keys k WHERE k.state <> 'retired'
$$;

-- All that id tokens of sessions may be signed with, {"keys": […]}.
CREATE FUNCTION list_hint_keys() RETURNS json LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
	SELECT json_build_object('keys', coalesce(json_agg(k.public), '[]')) FROM signing_keys k
$$;

CREATE OR REPLACE FUNCTION rotate_signing_keys(lifetime interval, published interval, token_life interval) RETURNS json
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
	PERFORM pg_advisory_xact_lock(hashtext('signing_keys'));
	DELETE FROM signing_keys k WHERE k.state = 'retired' AND k.since < now() - interval '31 days';
	UPDATE signing_keys k SET state = 'retired', since = now(), sealed = '' WHERE k.state = 'previous' AND k.since < now() - token_life;
	IF EXISTS (SELECT FROM signing_keys k WHERE k.state = 'current' AND k.since < now() - lifetime)
		AND EXISTS (SELECT FROM signing_keys k WHERE k.state = 'next' AND k.since < now() - published)
	THEN
		UPDATE signing_keys k SET state = 'previous', since = now() WHERE k.state = 'current';
		UPDATE signing_keys k SET state = 'current', since = now() WHERE k.state = 'next';
	END IF;
	RETURN json_build_object('missing', (SELECT count(*) < 2 FROM signing_keys k WHERE k.state IN ('next', 'current')));
END $$;

CREATE FUNCTION sweep_logout_notices() RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
	DELETE FROM logout_notices n WHERE n.settled_at < now() - interval '7 days';
	RETURN '{}';
END $$;

DO $$
DECLARE
	service text := current_database();
	worker text := current_database() || '_worker';
BEGIN
	EXECUTE format('REVOKE EXECUTE ON FUNCTION announce_logout FROM %I, %I', service, worker);
	EXECUTE format('REVOKE EXECUTE ON FUNCTION end_session_of_hint, logout_uris, list_hint_keys FROM %I', worker);
	EXECUTE format('REVOKE EXECUTE ON FUNCTION claim_logout_notice, settle_logout_notice, sweep_logout_notices FROM %I', service);
END $$;
