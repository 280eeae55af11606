-- The authorization server's own tables: clients, keys, logins that are under way, codes, sessions, refresh tokens.
--
-- A login runs before any subject or tenant is known, so row security cannot decide by them. The worker role would see everything, and
-- a mistake in one handler would open all of it. Instead the service's role holds no right at all on these tables: each step of the
-- protocol is one function that runs as the owner, takes hashes and gives back only what that step may know. There is no function
-- that lists clients, codes or tokens. The sessions of an operator are hers and not her tenant's, and no setting says who she is: so
-- people see and end their own sessions by functions, too.
--
-- Codes, refresh tokens, client secrets and the browser's cookie are kept as SHA-256: they are random of 256 bits, which needs no slow hash.
-- They are found by their hash alone, which is why these tables do not begin with a tenant.

CREATE TABLE clients (
	tenant_id text NOT NULL REFERENCES tenants,
	id text NOT NULL UNIQUE CHECK (id ~ '^[a-z0-9][a-z0-9._-]{1,99}$'),
	name text NOT NULL,
	kind text NOT NULL CHECK (kind IN ('citizens', 'operators', 'partner')),
	secret_sha256 bytea CHECK (length(secret_sha256) = 32),         -- NULL: a public client
	redirect_uris text[] NOT NULL DEFAULT '{}',
	scopes text[] NOT NULL,
	area_wide boolean NOT NULL DEFAULT false,                       -- a desk for the operators of every tenant, not only its own
	suspended_at timestamptz,
	created_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant_id, id),
	CHECK (kind <> 'partner' OR secret_sha256 IS NOT NULL),
	CHECK (array_to_string(redirect_uris, ' ') !~ '[#"<>\\]')
);

-- The next key is published before it is used; the previous one stays published until its last token is dead. sealed is the
-- private key under AES-256-GCM.
CREATE TABLE signing_keys (
	tenant_id text NOT NULL DEFAULT '' CHECK (tenant_id = ''),
	kid text NOT NULL,
	state text NOT NULL CHECK (state IN ('next', 'current', 'previous')),
	public jsonb NOT NULL,
	sealed text NOT NULL,
	since timestamptz NOT NULL DEFAULT now(),                       -- when it took this state
	PRIMARY KEY (tenant_id, kid)
);
CREATE UNIQUE INDEX signing_keys_one_of_each ON signing_keys (state) WHERE state <> 'previous';

CREATE TABLE login_requests (
	id text PRIMARY KEY,
	browser bytea NOT NULL,                                         -- SHA-256 of the cookie of the browser that began
	client_id text NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
	redirect_uri text NOT NULL,
	scope text,
	state text,
	nonce text,
	challenge text NOT NULL,
	expires_at timestamptz NOT NULL DEFAULT now() + interval '10 minutes'
);
CREATE INDEX login_requests_expiry ON login_requests (expires_at);

-- A login and what came of it: the family that its code and refresh tokens belong to.
CREATE TABLE sessions (
	id uuid PRIMARY KEY DEFAULT uuid7(),
	kind text NOT NULL CHECK (kind IN ('citizen', 'operator')),
	subject_id uuid NOT NULL,
	tenant_id text REFERENCES tenants,                              -- operators only
	client_id text NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
	scopes text[] NOT NULL,
	provider text NOT NULL,
	acr text NOT NULL,
	amr text[] NOT NULL,
	attributes jsonb NOT NULL,                                      -- as the identity provider gave them, by SPID's names
	authenticated_at timestamptz NOT NULL DEFAULT now(),
	last_used_at timestamptz NOT NULL DEFAULT now(),
	expires_at timestamptz NOT NULL DEFAULT now() + interval '30 days',
	ended_at timestamptz,
	end_cause text,
	CHECK ((kind = 'operator') = (tenant_id IS NOT NULL))
);
CREATE INDEX sessions_subject ON sessions (subject_id, id DESC);
CREATE INDEX sessions_expiry ON sessions (expires_at);

CREATE TABLE authorization_codes (
	hash bytea PRIMARY KEY,
	session_id uuid NOT NULL REFERENCES sessions ON DELETE CASCADE,
	client_id text NOT NULL,
	redirect_uri text NOT NULL,
	challenge text NOT NULL,
	nonce text,
	expires_at timestamptz NOT NULL DEFAULT now() + interval '60 seconds',
	used_at timestamptz
);
CREATE INDEX authorization_codes_session ON authorization_codes (session_id);
CREATE INDEX authorization_codes_expiry ON authorization_codes (expires_at);

CREATE TABLE refresh_tokens (
	hash bytea PRIMARY KEY,
	session_id uuid NOT NULL REFERENCES sessions ON DELETE CASCADE,
	created_at timestamptz NOT NULL DEFAULT now(),
	used_at timestamptz
);
CREATE INDEX refresh_tokens_session ON refresh_tokens (session_id);

DO $$
DECLARE
	guarded text;
	service text := current_database();
BEGIN
	FOREACH guarded IN ARRAY ARRAY['clients', 'signing_keys', 'login_requests', 'sessions', 'authorization_codes', 'refresh_tokens'] LOOP
		EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', guarded);
		EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', guarded);
		EXECUTE format('CREATE POLICY owner ON %I TO %I USING (true) WITH CHECK (true)', guarded, current_user);
		EXECUTE format('REVOKE ALL ON %I FROM %I, %I', guarded, service, service || '_worker');
	END LOOP;
END $$;

-- ---- clients

-- What the authorization endpoint may know of a client. demo: its tenant accepts the demo login.
CREATE FUNCTION find_client(client text) RETURNS json LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
	SELECT json_build_object('id', c.id, 'redirectUris', c.redirect_uris, 'scopes', c.scopes, 'demo', t.demo)
	FROM clients c JOIN tenants t USING (tenant_id) WHERE c.id = client AND c.suspended_at IS NULL
$$;

-- The client that proved itself, or NULL: a public one without secret, a confidential one with its own.
CREATE FUNCTION authenticate_client(client text, secret text) RETURNS json
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
	SELECT json_build_object('id', c.id, 'tenant', c.tenant_id, 'kind', c.kind, 'scopes', c.scopes,
		'confidential', c.secret_sha256 IS NOT NULL)
	FROM clients c WHERE c.id = client AND c.suspended_at IS NULL
		AND c.secret_sha256 IS NOT DISTINCT FROM sha256(convert_to(secret, 'UTF8'))
$$;

-- ---- scopes

CREATE FUNCTION scopes_of_roles(roles text[]) RETURNS text[] LANGUAGE sql IMMUTABLE
RETURN CASE WHEN roles && '{operator,admin}' THEN
	'{desk:persons,desk:practices,desk:payments,desk:bookings,desk:messages,desk:registrations}'::text[] ELSE '{}' END
	|| CASE WHEN 'admin' = ANY (roles) THEN '{desk:admin}'::text[] ELSE '{}' END;

-- Those of the scopes asked for (all, when none are) that are allowed, in the order of allowed.
CREATE FUNCTION granted_scopes(asked text, allowed text[]) RETURNS text[] LANGUAGE sql IMMUTABLE
RETURN ARRAY(SELECT scope FROM unnest(allowed) WITH ORDINALITY AS a (scope, place)
	WHERE coalesce(asked, '') = '' OR scope = ANY (string_to_array(asked, ' ')) ORDER BY place);

-- ---- login

CREATE FUNCTION begin_login(id text, browser text, client text, redirect_uri text, scope text, state text, nonce text, challenge text)
RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
	INSERT INTO login_requests (id, browser, client_id, redirect_uri, scope, state, nonce, challenge)
	VALUES ($1, sha256(convert_to($2, 'UTF8')), $3, $4, $5, $6, $7, $8)
$$;

-- Whom the demo provider can vouch for at this client: citizens of demo tenants, or operators of its demo tenant (of all of them,
-- when it is area-wide).
CREATE FUNCTION demo_people(client clients) RETURNS TABLE (id text, name text, tenant text, note text, attributes jsonb, operator operators)
LANGUAGE sql STABLE AS $$
	SELECT d.id, concat_ws(' ', d.attributes ->> 'name', d.attributes ->> 'familyName'), t.name, d.note, d.attributes, NULL::operators
	FROM demo_identities d JOIN tenants t USING (tenant_id)
	WHERE client.kind = 'citizens' AND t.demo AND (SELECT own.demo FROM tenants own WHERE own.tenant_id = client.tenant_id)
	UNION ALL
	SELECT o.id::text, concat_ws(' ', o.given_name, o.family_name), t.name, concat_ws(', ', array_to_string(o.roles, ', '),
		nullif(array_to_string(o.offices, ', '), '')), NULL, o
	FROM operators o JOIN tenants t USING (tenant_id)
	WHERE client.kind = 'operators' AND t.demo AND (client.area_wide OR t.tenant_id = client.tenant_id) AND o.roles <> '{}'
$$;

-- The login that this browser began, for the demo provider's page; NULL when there is none (any more).
CREATE FUNCTION show_demo_login(request text, browser text) RETURNS json
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
	SELECT json_build_object('client', c.name, 'redirectUri', r.redirect_uri, 'people', coalesce((
		SELECT json_agg(json_build_object('id', p.id, 'name', p.name, 'tenant', p.tenant, 'note', p.note) ORDER BY p.tenant, p.id)
		FROM demo_people(c) p), '[]'))
	FROM login_requests r JOIN clients c ON c.id = r.client_id
	WHERE r.id = request AND r.browser = sha256(convert_to(show_demo_login.browser, 'UTF8')) AND r.expires_at > now()
$$;

-- Takes what an identity provider says about a person, makes the person at the first login, and tells the others what changed.
CREATE FUNCTION take_person(attributes jsonb, provider text, acr text) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
	code text := upper(regexp_replace(attributes ->> 'fiscalNumber', '^TINIT-', ''));
	known persons;
	person persons;
	first boolean;
	of_login text[] := '{login_at,login_provider,login_acr}';
BEGIN
	INSERT INTO persons (fiscal_code, given_name, family_name) VALUES (code, attributes ->> 'name', attributes ->> 'familyName')
	ON CONFLICT (fiscal_code) DO NOTHING RETURNING * INTO known;
	IF known.id IS NULL THEN
		SELECT * INTO known FROM persons p WHERE p.fiscal_code = code FOR UPDATE;
	END IF;
	first := known.login_at IS NULL;
	UPDATE persons p SET
		given_name = coalesce(attributes ->> 'name', p.given_name),
		family_name = coalesce(attributes ->> 'familyName', p.family_name),
		birth_date = coalesce((attributes ->> 'dateOfBirth')::date, p.birth_date),
		birth_place = coalesce(attributes ->> 'placeOfBirth', p.birth_place),
		gender = coalesce(attributes ->> 'gender', p.gender),
		address = coalesce(attributes ->> 'domicileStreetAddress', attributes ->> 'address', p.address),
		postal_code = coalesce(attributes ->> 'domicilePostalCode', p.postal_code),
		municipality = coalesce(attributes ->> 'domicileMunicipality', p.municipality),
		province = coalesce(attributes ->> 'domicileProvince', p.province),
		email = CASE WHEN p.contacts_own THEN p.email ELSE coalesce(attributes ->> 'email', p.email) END,
		mobile_phone = CASE WHEN p.contacts_own THEN p.mobile_phone ELSE coalesce(attributes ->> 'mobilePhone', p.mobile_phone) END,
		login_at = now(), login_provider = provider, login_acr = acr
	WHERE p.id = known.id RETURNING * INTO person;
	-- whatever of the person others may keep: all but the login itself
	IF first OR to_jsonb(person) - of_login IS DISTINCT FROM to_jsonb(known) - of_login THEN
		UPDATE persons p SET version = p.version + 1, updated_at = now() WHERE p.id = person.id;
		PERFORM emit_event(NULL, 'person.updated', person.id, person.id, '{"changed": ["names", "contacts"]}');
	END IF;
	RETURN person.id;
END $$;

-- Ends a login well: the request is used up, the session and its code begin. Who calls it has verified the person.
CREATE FUNCTION open_session(request login_requests, kind text, subject uuid, tenant text, allowed text[], provider text, acr text,
	amr text[], attributes jsonb, code text)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
	session uuid := uuid7();
BEGIN
	INSERT INTO sessions (id, kind, subject_id, tenant_id, client_id, scopes, provider, acr, amr, attributes)
	VALUES (session, kind, subject, tenant, request.client_id, granted_scopes(request.scope, allowed), provider, acr, amr, attributes);
	INSERT INTO authorization_codes (hash, session_id, client_id, redirect_uri, challenge, nonce)
	VALUES (sha256(convert_to(code, 'UTF8')), session, request.client_id, request.redirect_uri, request.challenge, request.nonce);
	DELETE FROM login_requests l WHERE l.id = request.id;
END $$;

-- The login of this browser as the person chosen at the demo provider, or given up (person NULL). NULL: no such login; outcome is
-- 'code', 'refused' (not a person that the demo provider can vouch for here; the login stays) or 'given-up'.
CREATE FUNCTION end_demo_login(request text, browser text, person text, code text) RETURNS json
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
	login login_requests;
	client clients;
	chosen record;
	level text := 'https://www.spid.gov.it/SpidL2';
BEGIN
	SELECT * INTO login FROM login_requests r
	WHERE r.id = request AND r.browser = sha256(convert_to(end_demo_login.browser, 'UTF8')) AND r.expires_at > now() FOR UPDATE;
	IF NOT FOUND THEN
		RETURN NULL;
	END IF;
	SELECT * INTO client FROM clients c WHERE c.id = login.client_id;
	IF person IS NULL THEN
		DELETE FROM login_requests r WHERE r.id = login.id;
		RETURN json_build_object('outcome', 'given-up', 'redirectUri', login.redirect_uri, 'state', login.state);
	END IF;
	SELECT * INTO chosen FROM demo_people(client) p WHERE p.id = person;
	IF NOT FOUND THEN
		RETURN json_build_object('outcome', 'refused');
	END IF;
	IF client.kind = 'citizens' THEN
		PERFORM open_session(login, 'citizen', take_person(chosen.attributes, 'demo', level), NULL, client.scopes, 'demo', level,
			'{demo}', chosen.attributes, code);
	ELSE
		PERFORM open_session(login, 'operator', (chosen.operator).id, (chosen.operator).tenant_id, client.scopes, 'demo', level, '{demo}',
			jsonb_build_object('name', (chosen.operator).given_name, 'familyName', (chosen.operator).family_name,
				'fiscalNumber', 'TINIT-' || (chosen.operator).fiscal_code), code);
	END IF;
	RETURN json_build_object('outcome', 'code', 'redirectUri', login.redirect_uri, 'state', login.state);
END $$;

-- ---- sessions and tokens

CREATE FUNCTION end_session(session uuid, cause text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
	UPDATE sessions s SET ended_at = now(), end_cause = cause WHERE s.id = session AND s.ended_at IS NULL
$$;

-- The caller's own: the person's, or the operator's in the tenant that she acts in.
CREATE FUNCTION is_own(held sessions, caller uuid) RETURNS boolean LANGUAGE sql STABLE
RETURN held.subject_id = caller AND CASE held.kind WHEN 'citizen' THEN held.subject_id = app_subject() ELSE held.tenant_id = app_tenant() END;

CREATE FUNCTION own_sessions(caller uuid)
RETURNS TABLE (id uuid, client_id text, authenticated_at timestamptz, last_used_at timestamptz, provider text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
	SELECT s.id, s.client_id, s.authenticated_at, s.last_used_at, s.provider
	FROM sessions s WHERE s.subject_id = caller AND is_own(s, caller) AND s.ended_at IS NULL AND s.expires_at > now()
$$;

-- True when it is the caller's, ended now or before, else NULL.
CREATE FUNCTION end_own_session(session uuid, caller uuid) RETURNS json
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
	WITH mine AS (
		SELECT s.id FROM sessions s WHERE s.id = end_own_session.session AND is_own(s, caller)
	), ended AS (
		UPDATE sessions s SET ended_at = now(), end_cause = 'ended by the person'
		FROM mine WHERE s.id = mine.id AND s.ended_at IS NULL
	)
	SELECT 'true'::json FROM mine
$$;

-- What a token of this session says now: an operator's scopes follow the roles of today. NULL when nothing is left to say.
CREATE FUNCTION session_claims(session uuid, asked text) RETURNS json
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
	held sessions;
	of_operator text[];
	scopes text[];
BEGIN
	SELECT * INTO held FROM sessions s WHERE s.id = session AND s.ended_at IS NULL AND s.expires_at > now();
	scopes := granted_scopes(asked, held.scopes);
	IF held.kind = 'operator' THEN
		SELECT o.roles INTO of_operator FROM operators o WHERE o.tenant_id = held.tenant_id AND o.id = held.subject_id;
		scopes := ARRAY(SELECT scope FROM unnest(scopes) WITH ORDINALITY AS s (scope, place)
			WHERE scope IN ('openid', 'offline_access') OR scope = ANY (scopes_of_roles(of_operator)) ORDER BY place);
	END IF;
	IF held.id IS NULL OR (held.kind = 'operator' AND coalesce(of_operator, '{}') = '{}') THEN
		RETURN NULL;
	END IF;
	RETURN json_strip_nulls(json_build_object('sid', held.id, 'kind', held.kind, 'sub', held.subject_id, 'tenant', held.tenant_id,
		'roles', of_operator, 'scope', array_to_string(scopes, ' '), 'acr', held.acr, 'amr', held.amr,
		'authTime', floor(extract(epoch FROM held.authenticated_at))::bigint));
END $$;

-- Redeems a code: whoever comes second, or with anything that does not match, gets NULL and ends what the code gave. The update waits for
-- a rival, so of many at once exactly one wins.
CREATE FUNCTION redeem_code(code text, client text, redirect_uri text, challenge text, refresh text) RETURNS json
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
	given authorization_codes;
	claims json;
BEGIN
	UPDATE authorization_codes c SET used_at = now()
	WHERE c.hash = sha256(convert_to(redeem_code.code, 'UTF8')) AND c.used_at IS NULL RETURNING * INTO given;
	IF NOT FOUND THEN
		PERFORM end_session(c.session_id, 'code replayed') FROM authorization_codes c
		WHERE c.hash = sha256(convert_to(redeem_code.code, 'UTF8'));
		RETURN NULL;
	END IF;
	IF given.expires_at <= now() OR given.client_id <> redeem_code.client OR given.redirect_uri <> redeem_code.redirect_uri
		OR given.challenge <> redeem_code.challenge
	THEN
		PERFORM end_session(given.session_id, 'code misused');
		RETURN NULL;
	END IF;
	claims := session_claims(given.session_id, NULL);
	IF 'offline_access' = ANY (string_to_array(claims ->> 'scope', ' ')) THEN
		INSERT INTO refresh_tokens (hash, session_id) VALUES (sha256(convert_to(redeem_code.refresh, 'UTF8')), given.session_id);
	END IF;
	RETURN (claims::jsonb || jsonb_strip_nulls(jsonb_build_object('nonce', given.nonce)))::json;
END $$;

-- Exchanges a refresh token for the next one. A token that was used before ends its session: one of two holders stole it.
-- {"error": "invalid_scope"} leaves the token as it was.
CREATE FUNCTION rotate_refresh(refresh text, client text, successor text, asked text) RETURNS json
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
	old bytea := sha256(convert_to(refresh, 'UTF8'));
	session sessions;
BEGIN
	SELECT s.* INTO session FROM refresh_tokens t JOIN sessions s ON s.id = t.session_id WHERE t.hash = old;
	IF NOT FOUND THEN
		RETURN NULL;
	END IF;
	IF session.client_id = client AND NOT coalesce(string_to_array(nullif(asked, ''), ' '), '{}') <@ session.scopes THEN
		RETURN '{"error": "invalid_scope"}';
	END IF;
	UPDATE refresh_tokens t SET used_at = now() WHERE t.hash = old AND t.used_at IS NULL;
	IF NOT FOUND OR session.client_id <> client THEN
		PERFORM end_session(session.id, 'refresh token replayed');
		RETURN NULL;
	END IF;
	UPDATE sessions s SET last_used_at = now() WHERE s.id = session.id AND s.ended_at IS NULL AND s.expires_at > now();
	IF NOT FOUND THEN
		RETURN NULL;
	END IF;
	INSERT INTO refresh_tokens (hash, session_id) VALUES (sha256(convert_to(successor, 'UTF8')), session.id);
	RETURN session_claims(session.id, asked);
END $$;

-- RFC 7009: ends the session of a refresh token, or the session itself (of an access token), if it is of this client.
CREATE FUNCTION revoke_token(refresh text, session uuid, client text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
	UPDATE sessions s SET ended_at = now(), end_cause = 'revoked by the client'
	WHERE s.client_id = client AND s.ended_at IS NULL AND s.id IN (
		SELECT revoke_token.session UNION ALL
		SELECT t.session_id FROM refresh_tokens t WHERE t.hash = sha256(convert_to(refresh, 'UTF8')))
$$;

-- RFC 7662 for refresh tokens: what the session says, without using the token up.
CREATE FUNCTION inspect_refresh(refresh text, client text) RETURNS json
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
	SELECT session_claims(s.id, NULL) FROM refresh_tokens t JOIN sessions s ON s.id = t.session_id
	WHERE t.hash = sha256(convert_to(refresh, 'UTF8')) AND t.used_at IS NULL AND s.client_id = client
$$;

-- Whether the session of an access token still stands: true or NULL.
CREATE FUNCTION session_stands(session uuid) RETURNS json LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
	SELECT 'true'::json WHERE session_claims(session, NULL) IS NOT NULL
$$;

-- What userinfo says of the caller: the attributes of the login, and of operators what they are here.
CREATE FUNCTION userinfo(session uuid, subject uuid, with_profile boolean) RETURNS json
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
	SELECT json_strip_nulls(json_build_object('sub', s.subject_id, 'tenant', s.tenant_id,
		'roles', o.roles, 'offices', o.offices,
		'name', CASE WHEN shown THEN concat_ws(' ', s.attributes ->> 'name', s.attributes ->> 'familyName') END,
		'given_name', CASE WHEN shown THEN s.attributes ->> 'name' END,
		'family_name', CASE WHEN shown THEN s.attributes ->> 'familyName' END,
		'birthdate', CASE WHEN shown THEN s.attributes ->> 'dateOfBirth' END,
		'email', CASE WHEN shown THEN coalesce(p.email, o.email) END,
		'phone_number', CASE WHEN shown THEN p.mobile_phone END,
		'https://attributes.eid.gov.it/fiscal_number', CASE WHEN shown THEN s.attributes ->> 'fiscalNumber' END))
	FROM sessions s LEFT JOIN persons p ON s.kind = 'citizen' AND p.id = s.subject_id
		LEFT JOIN operators o ON o.tenant_id = s.tenant_id AND o.id = s.subject_id,
		LATERAL (SELECT with_profile OR s.kind = 'operator' AS shown) which
	WHERE s.id = session AND s.subject_id = subject
$$;

-- ---- signing keys

CREATE FUNCTION list_signing_keys() RETURNS json LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
	SELECT json_build_object('keys', coalesce(json_agg(json_build_object('kid', k.kid, 'state', k.state, 'public', k.public,
		'sealed', k.sealed) ORDER BY k.since), '[]')) FROM signing_keys k
$$;

-- Keeps a key that was just made, where one is missing: as the current one at the first start, else as the next. Several processes may
-- find it missing at once; the lock lets one of them do it.
CREATE FUNCTION add_signing_key(kid text, public jsonb, sealed text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
	PERFORM pg_advisory_xact_lock(hashtext('signing_keys'));
	INSERT INTO signing_keys (kid, state, public, sealed)
	SELECT add_signing_key.kid, missing.state, add_signing_key.public, add_signing_key.sealed
	FROM (VALUES ('current'), ('next')) AS missing (state)
	WHERE NOT EXISTS (SELECT FROM signing_keys k WHERE k.state = missing.state) LIMIT 1;
END $$;

-- One step of the rotation. The next key takes over when the current one is old and the next has been published long enough; the one
-- before goes when no token of it can be alive. Says whether a new next key is to be made.
CREATE FUNCTION rotate_signing_keys(lifetime interval, published interval, token_life interval) RETURNS json
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
	PERFORM pg_advisory_xact_lock(hashtext('signing_keys'));
	DELETE FROM signing_keys k WHERE k.state = 'previous' AND k.since < now() - token_life;
	IF EXISTS (SELECT FROM signing_keys k WHERE k.state = 'current' AND k.since < now() - lifetime)
		AND EXISTS (SELECT FROM signing_keys k WHERE k.state = 'next' AND k.since < now() - published)
	THEN
		UPDATE signing_keys k SET state = 'previous', since = now() WHERE k.state = 'current';
		UPDATE signing_keys k SET state = 'current', since = now() WHERE k.state = 'next';
	END IF;
	RETURN json_build_object('missing', (SELECT count(*) < 2 FROM signing_keys k WHERE k.state <> 'previous'));
END $$;

-- ---- sweeping

-- Logins that nobody ended and codes after a day; sessions, with their refresh tokens, 90 days after they expired.
CREATE FUNCTION sweep_logins() RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
	DELETE FROM login_requests r WHERE r.expires_at < now();
	DELETE FROM authorization_codes c WHERE c.expires_at < now() - interval '1 day';
	DELETE FROM sessions s WHERE s.expires_at < now() - interval '90 days';
	RETURN '{}';
END $$;

-- A function is open to the service's two roles by default. These are steps of others, or background work.
DO $$
DECLARE
	service text := current_database();
	worker text := current_database() || '_worker';
BEGIN
	EXECUTE format('REVOKE EXECUTE ON FUNCTION take_person, open_session, end_session, session_claims FROM %I, %I', service, worker);
	EXECUTE format('REVOKE EXECUTE ON FUNCTION rotate_signing_keys, sweep_logins FROM %I', service);
	EXECUTE format('REVOKE EXECUTE ON FUNCTION person_for_service, find_client, authenticate_client, begin_login, show_demo_login,
		end_demo_login, own_sessions, end_own_session, session_stands, redeem_code, rotate_refresh, revoke_token, inspect_refresh, userinfo FROM %I', worker);
END $$;
