-- The service provider of SPID and CIE: the registry of identity providers, requests that are under way, what a session owes to a provider,
-- and the log of what was sent and received. As with the authorization server's own tables, the service's role has no right on any of them
-- but the public registry: each step is one function that runs as the owner and gives back only what that step may know.

-- What a service needs, where it is not the ordinary: the least level that it accepts (2), and its set of attributes (0 is who somebody is,
-- 1 contacts too, 2 residence too).
CREATE TABLE saml_services (
	tenant_id text NOT NULL,
	client_id text NOT NULL UNIQUE REFERENCES clients (id) ON DELETE CASCADE,
	level int NOT NULL DEFAULT 2 CHECK (level BETWEEN 1 AND 3),
	attribute_set int NOT NULL DEFAULT 0 CHECK (attribute_set BETWEEN 0 AND 2),
	PRIMARY KEY (tenant_id, client_id)
);

-- The level that a login asked for.
CREATE TABLE saml_levels (
	login_id text PRIMARY KEY REFERENCES login_requests ON DELETE CASCADE,
	level int NOT NULL CHECK (level BETWEEN 1 AND 3)
);

CREATE TABLE saml_providers (
	entity_id text PRIMARY KEY,
	federation text NOT NULL CHECK (federation IN ('spid', 'cie')),
	name text NOT NULL,
	logo text,
	sso_redirect text,
	sso_post text,
	slo_redirect text,
	slo_post text,
	certificates jsonb NOT NULL CHECK (jsonb_typeof(certificates) = 'array' AND jsonb_array_length(certificates) > 0),
	refreshed_at timestamptz NOT NULL DEFAULT now(),
	CHECK (sso_redirect IS NOT NULL OR sso_post IS NOT NULL)
);

-- A request is answered once: the statement that takes the answer takes the row away.
CREATE TABLE saml_requests (
	id text PRIMARY KEY,
	login_id text NOT NULL REFERENCES login_requests ON DELETE CASCADE,
	provider text NOT NULL REFERENCES saml_providers ON DELETE CASCADE,
	relay text NOT NULL,
	level int NOT NULL,
	issued_at timestamptz NOT NULL DEFAULT date_trunc('second', clock_timestamp())
);
CREATE INDEX saml_requests_login ON saml_requests (login_id);
CREATE INDEX saml_requests_provider ON saml_requests (provider);

CREATE TABLE saml_sessions (
	session_id uuid PRIMARY KEY REFERENCES sessions ON DELETE CASCADE,
	provider text NOT NULL,
	entity text NOT NULL,                                           -- which of our entities the provider knows
	name_id text NOT NULL,
	session_index text                                              -- only where the provider keeps a session (level 1)
);
CREATE INDEX saml_sessions_name ON saml_sessions (provider, name_id);

-- A logout that we asked a provider for, and where the person goes afterwards.
CREATE TABLE saml_logouts (
	id text PRIMARY KEY,
	provider text NOT NULL,
	relay text NOT NULL,
	return_to text,
	expires_at timestamptz NOT NULL DEFAULT now() + interval '10 minutes'
);

-- 24 months of requests and responses (DPCM 24 October 2014, article 13). sealed is the message under AES-256-GCM. A task links the rows into
-- a chain a few seconds after they are written, so that no login waits for another; from then on a change, a gap or another order shows.
CREATE TABLE saml_log (
	position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	at timestamptz NOT NULL DEFAULT clock_timestamp(),
	request_id text NOT NULL,
	direction text NOT NULL CHECK (direction IN ('sent', 'received')),
	outcome text NOT NULL,
	sealed text NOT NULL,
	link bigint UNIQUE,
	previous bytea,
	chain bytea
);
CREATE INDEX saml_log_unlinked ON saml_log (position) WHERE link IS NULL;
CREATE INDEX saml_log_request ON saml_log (request_id);

DO $$
DECLARE
	guarded text;
	service text := current_database();
BEGIN
	FOREACH guarded IN ARRAY ARRAY['saml_services', 'saml_levels', 'saml_providers', 'saml_requests', 'saml_sessions', 'saml_logouts', 'saml_log'] LOOP
		EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', guarded);
		EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', guarded);
		EXECUTE format('CREATE POLICY owner ON %I TO %I USING (true) WITH CHECK (true)', guarded, current_user);
		EXECUTE format('REVOKE ALL ON %I FROM %I, %I', guarded, service, service || '_worker');
	END LOOP;
	-- Public facts.
	EXECUTE format('GRANT SELECT ON saml_providers TO %I', service);
	EXECUTE format('CREATE POLICY everyone ON saml_providers FOR SELECT TO %I USING (true)', service);
END $$;

-- ---- the registry

CREATE FUNCTION list_login_providers() RETURNS json LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
	SELECT json_build_object('items', coalesce(json_agg(json_strip_nulls(json_build_object('entityId', p.entity_id,
		'federation', p.federation, 'name', p.name, 'logo', p.logo)) ORDER BY p.federation, lower(p.name), p.entity_id), '[]'))
	FROM saml_providers p
$$;

-- What a federation's registry says now: the providers that it names are there, those that it does not name any more are gone. A
-- provider of one federation cannot be taken over by the other.
CREATE FUNCTION replace_saml_providers(federation text, providers jsonb) RETURNS json
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
BEGIN
	INSERT INTO saml_providers AS p (entity_id, federation, name, logo, sso_redirect, sso_post, slo_redirect, slo_post, certificates)
	SELECT n ->> 'entityId', replace_saml_providers.federation, n ->> 'name', n ->> 'logo', n ->> 'ssoRedirect', n ->> 'ssoPost',
		n ->> 'sloRedirect', n ->> 'sloPost', n -> 'certificates'
	FROM jsonb_array_elements(providers) AS n
	ON CONFLICT (entity_id) DO UPDATE SET name = excluded.name, logo = excluded.logo, sso_redirect = excluded.sso_redirect,
		sso_post = excluded.sso_post, slo_redirect = excluded.slo_redirect, slo_post = excluded.slo_post,
		certificates = excluded.certificates, refreshed_at = now()
	WHERE p.federation = excluded.federation;
	DELETE FROM saml_providers p WHERE p.federation = replace_saml_providers.federation
		AND NOT p.entity_id IN (SELECT n ->> 'entityId' FROM jsonb_array_elements(providers) AS n);
	RETURN json_build_object('count', (SELECT count(*) FROM saml_providers p WHERE p.federation = replace_saml_providers.federation));
END $$;

-- Whoever goes on sending rubbish for one request does not fill the log with it.
CREATE FUNCTION keep_saml_message(request text, direction text, outcome text, sealed text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
	INSERT INTO saml_log (request_id, direction, outcome, sealed) SELECT $1, $2, $3, $4
	WHERE $3 <> 'refused' OR (SELECT count(*) FROM saml_log l WHERE l.request_id = $1 AND l.outcome = 'refused') < 20
$$;

-- ---- login

CREATE FUNCTION login_of_browser(request text, browser text) RETURNS login_requests
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
	SELECT r FROM login_requests r JOIN clients c ON c.id = r.client_id
	WHERE r.id = request AND r.browser = sha256(convert_to(login_of_browser.browser, 'UTF8')) AND r.expires_at > now()
		AND c.kind = 'citizens' AND c.suspended_at IS NULL
$$;

CREATE FUNCTION ask_spid_level(request text, level int) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
	INSERT INTO saml_levels (login_id, level) VALUES (request, level)
$$;

-- The login that this browser began, for the page on which the person chooses a provider; NULL when there is none (any more).
CREATE FUNCTION show_saml_login(request text, browser text) RETURNS json
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
	SELECT json_build_object('client', c.name, 'redirectUri', r.redirect_uri, 'state', r.state, 'demo', t.demo,
		'providers', list_login_providers() -> 'items')
	FROM login_of_browser(request, browser) r JOIN clients c ON c.id = r.client_id JOIN tenants t USING (tenant_id)
$$;

-- One person cannot have more than a few requests under way in one login: the oldest goes.
CREATE FUNCTION begin_saml_login(request text, browser text, provider text, id text, relay text) RETURNS json
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
	login login_requests := login_of_browser(request, browser);
	client clients;
	service saml_services;
	chosen saml_providers;
	begun saml_requests;
BEGIN
	SELECT * INTO chosen FROM saml_providers p WHERE p.entity_id = begin_saml_login.provider;
	IF login.id IS NULL OR chosen.entity_id IS NULL THEN
		RETURN NULL;
	END IF;
	SELECT * INTO client FROM clients c WHERE c.id = login.client_id;
	SELECT * INTO service FROM saml_services s WHERE s.client_id = client.id;
	DELETE FROM saml_requests s WHERE s.id IN (SELECT o.id FROM saml_requests o WHERE o.login_id = login.id
		ORDER BY o.issued_at DESC OFFSET 4);
	INSERT INTO saml_requests (id, login_id, provider, relay, level)
	VALUES (begin_saml_login.id, login.id, chosen.entity_id, begin_saml_login.relay,
		greatest(coalesce(service.level, 2), (SELECT l.level FROM saml_levels l WHERE l.login_id = login.id)))
	RETURNING * INTO begun;
	RETURN json_build_object('federation', chosen.federation, 'provider', chosen.entity_id, 'name', chosen.name,
		'ssoRedirect', chosen.sso_redirect, 'ssoPost', chosen.sso_post, 'tenant', client.tenant_id, 'level', begun.level,
		'attributeSet', CASE chosen.federation WHEN 'spid' THEN coalesce(service.attribute_set, 0) ELSE 0 END,
		'issued', extract(epoch FROM begun.issued_at)::bigint);
END $$;

-- The request that a response claims to answer; the browser must be the one that the login belongs to, which the caller checks with
-- login and browser.
CREATE FUNCTION show_saml_request(id text) RETURNS json LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
	SELECT json_build_object('login', s.login_id, 'federation', p.federation, 'provider', p.entity_id, 'certificates', p.certificates,
		'tenant', c.tenant_id, 'level', s.level, 'relay', s.relay, 'issued', extract(epoch FROM s.issued_at)::bigint,
		'client', c.name, 'redirectUri', r.redirect_uri, 'state', r.state)
	FROM saml_requests s JOIN saml_providers p ON p.entity_id = s.provider JOIN login_requests r ON r.id = s.login_id
		JOIN clients c ON c.id = r.client_id
	WHERE s.id = show_saml_request.id AND r.expires_at > now()
$$;

-- The provider said no: that request is over, the login goes on with another one.
CREATE FUNCTION fail_saml_request(id text, browser text, outcome text, sealed text) RETURNS json
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
	SELECT keep_saml_message(id, 'received', outcome, sealed);
	DELETE FROM saml_requests s USING login_requests r
	WHERE s.id = fail_saml_request.id AND r.id = s.login_id AND r.browser = sha256(convert_to(fail_saml_request.browser, 'UTF8'))
	RETURNING 'true'::json
$$;

-- Ends a login with what the provider vouched for, which the caller has verified. Of several answers to one request exactly one finds the
-- row. NULL: no such request (any more) in this browser.
CREATE FUNCTION end_saml_login(id text, browser text, attributes jsonb, level text, entity text, name_id text, session_index text, code text,
	sealed text)
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
	taken saml_requests;
	login login_requests;
	client clients;
	federation text;
	session uuid;
BEGIN
	DELETE FROM saml_requests s USING login_requests r
	WHERE s.id = end_saml_login.id AND r.id = s.login_id AND r.expires_at > now()
		AND r.browser = sha256(convert_to(end_saml_login.browser, 'UTF8'))
	RETURNING s.* INTO taken;
	IF NOT FOUND THEN
		RETURN NULL;
	END IF;
	SELECT * INTO login FROM login_requests r WHERE r.id = taken.login_id FOR UPDATE;
	SELECT * INTO client FROM clients c WHERE c.id = login.client_id;
	SELECT p.federation INTO federation FROM saml_providers p WHERE p.entity_id = taken.provider;
	PERFORM open_session(login, 'citizen', take_person(attributes, federation, level), NULL, client.scopes, federation, level,
		ARRAY[federation], attributes, code);
	SELECT a.session_id INTO session FROM authorization_codes a WHERE a.hash = sha256(convert_to(end_saml_login.code, 'UTF8'));
	INSERT INTO saml_sessions (session_id, provider, entity, name_id, session_index)
	VALUES (session, taken.provider, end_saml_login.entity, end_saml_login.name_id, end_saml_login.session_index);
	PERFORM keep_saml_message(taken.id, 'received', 'accepted', sealed);
	RETURN json_build_object('login', login.id, 'redirectUri', login.redirect_uri, 'state', login.state);
END $$;

-- ---- logout

-- The session that is ended here and lives on at its provider, with what a logout request says; NULL where there is nothing to ask.
CREATE FUNCTION begin_saml_logout(session uuid, id text, relay text, return_to text) RETURNS json
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
	held saml_sessions;
	known saml_providers;
BEGIN
	SELECT * INTO held FROM saml_sessions s WHERE s.session_id = begin_saml_logout.session AND s.session_index IS NOT NULL;
	SELECT * INTO known FROM saml_providers p WHERE p.entity_id = held.provider;
	IF coalesce(known.slo_redirect, known.slo_post) IS NULL THEN
		RETURN NULL;
	END IF;
	INSERT INTO saml_logouts (id, provider, relay, return_to)
	VALUES (begin_saml_logout.id, held.provider, begin_saml_logout.relay, begin_saml_logout.return_to);
	UPDATE saml_sessions s SET session_index = NULL WHERE s.session_id = held.session_id;
	RETURN json_build_object('provider', known.entity_id, 'name', known.name, 'entity', held.entity, 'nameId', held.name_id,
		'sessionIndex', held.session_index, 'sloRedirect', known.slo_redirect, 'sloPost', known.slo_post);
END $$;

CREATE FUNCTION show_saml_provider(entity text) RETURNS json LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
	SELECT json_build_object('provider', p.entity_id, 'federation', p.federation, 'name', p.name, 'certificates', p.certificates,
		'sloRedirect', p.slo_redirect, 'sloPost', p.slo_post) FROM saml_providers p WHERE p.entity_id = entity
$$;

-- The answer to a logout that we began: where the person goes. NULL: we asked nothing.
CREATE FUNCTION end_saml_logout(id text, provider text, relay text) RETURNS json
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
	DELETE FROM saml_logouts l WHERE l.id = end_saml_logout.id AND l.provider = end_saml_logout.provider AND l.expires_at > now()
		AND (end_saml_logout.relay IS NULL OR l.relay = end_saml_logout.relay)
	RETURNING json_strip_nulls(json_build_object('returnTo', l.return_to, 'asked', true))
$$;

-- The provider ended a session of its own: so do we. session_index NULL: every session of that name.
CREATE FUNCTION end_provider_sessions(provider text, name_id text, session_index text) RETURNS json
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
	held saml_sessions;
	entity text;
	ended int := 0;
BEGIN
	FOR held IN SELECT * FROM saml_sessions s WHERE s.provider = end_provider_sessions.provider AND s.name_id = end_provider_sessions.name_id
		AND (end_provider_sessions.session_index IS NULL OR s.session_index = end_provider_sessions.session_index)
	LOOP
		PERFORM end_session(held.session_id, 'ended by the identity provider');
		ended := ended + 1;
		entity := held.entity;
	END LOOP;
	RETURN json_strip_nulls(json_build_object('ended', ended, 'entity', entity));
END $$;

-- ---- the log

CREATE FUNCTION refuse_log_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_OP = 'UPDATE' AND OLD.link IS NULL AND NEW.chain IS NOT NULL AND (NEW.position, NEW.at, NEW.request_id, NEW.direction, NEW.outcome,
		NEW.sealed) IS NOT DISTINCT FROM (OLD.position, OLD.at, OLD.request_id, OLD.direction, OLD.outcome, OLD.sealed)
	THEN
		RETURN NEW;
	END IF;
	IF TG_OP = 'DELETE' AND OLD.at < now() - interval '24 months' THEN
		RETURN OLD;
	END IF;
	RAISE EXCEPTION 'the log of SAML messages is kept as it is for 24 months';
END $$;
CREATE TRIGGER saml_log_stays BEFORE UPDATE OR DELETE ON saml_log FOR EACH ROW EXECUTE FUNCTION refuse_log_change();
CREATE TRIGGER saml_log_is_not_emptied BEFORE TRUNCATE ON saml_log FOR EACH STATEMENT EXECUTE FUNCTION refuse_log_change();

CREATE FUNCTION saml_link(entry saml_log, previous bytea) RETURNS bytea LANGUAGE sql STABLE
RETURN sha256(coalesce(previous, '') || convert_to(concat_ws(E'\n', entry.position, to_utc(entry.at), entry.request_id, entry.direction,
	entry.outcome, entry.sealed), 'UTF8'));

-- Links what was written since the last time, at most a thousand messages; true when there is more.
CREATE FUNCTION seal_saml_log() RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
	entry saml_log;
	last_link bigint;
	last_chain bytea;
	linked int := 0;
BEGIN
	PERFORM pg_advisory_xact_lock(hashtext('saml_log'));
	SELECT l.link, l.chain INTO last_link, last_chain FROM saml_log l WHERE l.link IS NOT NULL ORDER BY l.link DESC LIMIT 1;
	FOR entry IN SELECT * FROM saml_log l WHERE l.link IS NULL ORDER BY l.position LIMIT 1000 LOOP
		last_link := coalesce(last_link, 0) + 1;
		UPDATE saml_log l SET link = last_link, previous = last_chain, chain = saml_link(entry, last_chain) WHERE l.position = entry.position
		RETURNING l.chain INTO last_chain;
		linked := linked + 1;
	END LOOP;
	DELETE FROM saml_log l WHERE l.at < now() - interval '24 months';
	DELETE FROM saml_logouts l WHERE l.expires_at < now();
	RETURN json_build_object('more', linked = 1000);
END $$;

-- For the auditor: the links that do not hold, none when the log is whole. The oldest link that is left is taken as it is.
CREATE FUNCTION verify_saml_log() RETURNS TABLE (link bigint, fault text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
	SELECT v.link, v.fault FROM (
		SELECT l.link, CASE
			WHEN l.chain <> saml_link(l, l.previous) THEN 'changed'
			WHEN lag(l.link) OVER w IS NOT NULL AND lag(l.link) OVER w <> l.link - 1 THEN 'messages before it are missing'
			WHEN lag(l.chain) OVER w IS DISTINCT FROM l.previous AND lag(l.link) OVER w IS NOT NULL THEN 'out of order'
		END AS fault
		FROM saml_log l WHERE l.link IS NOT NULL WINDOW w AS (ORDER BY l.link)) v
	WHERE v.fault IS NOT NULL ORDER BY v.link
$$;

DO $$
DECLARE
	service text := current_database();
	worker text := current_database() || '_worker';
BEGIN
	EXECUTE format('REVOKE EXECUTE ON FUNCTION login_of_browser, saml_link, refuse_log_change, verify_saml_log FROM %I, %I', service, worker);
	EXECUTE format('REVOKE EXECUTE ON FUNCTION replace_saml_providers, seal_saml_log FROM %I', service);
	EXECUTE format('REVOKE EXECUTE ON FUNCTION list_login_providers, ask_spid_level, show_saml_login, begin_saml_login, show_saml_request,
		fail_saml_request, end_saml_login, begin_saml_logout, show_saml_provider, end_saml_logout, end_provider_sessions,
		keep_saml_message FROM %I', worker);
END $$;
