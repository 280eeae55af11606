-- Clients that prove themselves by a signature of their own key (RFC 7523, private_key_jwt) and authorization requests that are pushed
-- before the browser goes (RFC 9126).

-- A client has a secret, or keys, or neither (a public one). jwks is {"keys": […]}, RFC 7517, public keys only.
ALTER TABLE clients
	ADD COLUMN jwks jsonb CHECK (jsonb_typeof(jwks -> 'keys') = 'array' AND NOT jwks @? '$.keys[*].d'),
	ADD COLUMN pushes_requests boolean NOT NULL DEFAULT false,      -- its authorization requests must be pushed
	ADD CONSTRAINT one_proof CHECK (secret_sha256 IS NULL OR jwks IS NULL),
	DROP CONSTRAINT clients_check,
	ADD CONSTRAINT partners_prove_themselves CHECK (kind <> 'partner' OR secret_sha256 IS NOT NULL OR jwks IS NOT NULL);

-- The assertions of clients that are still alive: none is good twice. jti is its SHA-256.
CREATE TABLE client_assertions (
	client_id text NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
	jti bytea NOT NULL,
	expires_at timestamptz NOT NULL,
	PRIMARY KEY (client_id, jti)
);
CREATE INDEX client_assertions_expiry ON client_assertions (expires_at);

CREATE TABLE pushed_requests (
	hash bytea PRIMARY KEY,                                         -- SHA-256 of what the request_uri ends with
	client_id text NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
	parameters jsonb NOT NULL,
	expires_at timestamptz NOT NULL DEFAULT now() + interval '60 seconds'
);
CREATE INDEX pushed_requests_expiry ON pushed_requests (expires_at);

DO $$
DECLARE
	guarded text;
	service text := current_database();
BEGIN
	FOREACH guarded IN ARRAY ARRAY['client_assertions', 'pushed_requests'] LOOP
		EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', guarded);
		EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', guarded);
		EXECUTE format('CREATE POLICY owner ON %I TO %I USING (true) WITH CHECK (true)', guarded, current_user);
		EXECUTE format('REVOKE ALL ON %I FROM %I, %I', guarded, service, service || '_worker');
	END LOOP;
END $$;

CREATE OR REPLACE FUNCTION find_client(client text) RETURNS json LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
	SELECT json_build_object('id', c.id, 'redirectUris', c.redirect_uris, 'scopes', c.scopes, 'demo', t.demo,
		'pushesRequests', c.pushes_requests)
	FROM clients c JOIN tenants t USING (tenant_id) WHERE c.id = client AND c.suspended_at IS NULL
$$;

CREATE FUNCTION proven_client_json(client clients) RETURNS json LANGUAGE sql STABLE
RETURN json_build_object('id', client.id, 'tenant', client.tenant_id, 'kind', client.kind, 'scopes', client.scopes,
	'confidential', client.secret_sha256 IS NOT NULL OR client.jwks IS NOT NULL);

-- The client that proved itself, or NULL: a public one without secret, a confidential one with its own. One with keys has no secret to
-- show, and showing none proves nothing.
CREATE OR REPLACE FUNCTION authenticate_client(client text, secret text) RETURNS json
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
	SELECT proven_client_json(c) FROM clients c
	WHERE c.id = client AND c.suspended_at IS NULL AND c.jwks IS NULL
		AND c.secret_sha256 IS NOT DISTINCT FROM sha256(convert_to(secret, 'UTF8'))
$$;

-- What the assertion of a client is checked against: {"client": …, "keys": {"keys": […]}}.
CREATE FUNCTION find_client_keys(client text) RETURNS json LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
	SELECT json_build_object('client', proven_client_json(c), 'keys', c.jwks)
	FROM clients c WHERE c.id = client AND c.suspended_at IS NULL AND c.jwks IS NOT NULL
$$;

-- True for the first who shows this assertion, else NULL.
CREATE FUNCTION take_assertion(client text, jti text, expires bigint) RETURNS json
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
	INSERT INTO client_assertions (client_id, jti, expires_at)
	VALUES (client, sha256(convert_to(take_assertion.jti, 'UTF8')), to_timestamp(expires))
	ON CONFLICT DO NOTHING RETURNING 'true'::json
$$;

CREATE FUNCTION push_request(reference text, client text, parameters jsonb) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
	INSERT INTO pushed_requests (hash, client_id, parameters) VALUES (sha256(convert_to(reference, 'UTF8')), client, parameters)
$$;

-- The request that this client pushed, once; NULL when there is none (any more).
CREATE FUNCTION take_pushed_request(reference text, client text) RETURNS json
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
	DELETE FROM pushed_requests p
	WHERE p.hash = sha256(convert_to(reference, 'UTF8')) AND p.client_id = client AND p.expires_at > now()
	RETURNING p.parameters::json
$$;

CREATE OR REPLACE FUNCTION sweep_logins() RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
	DELETE FROM login_requests r WHERE r.expires_at < now();
	DELETE FROM pushed_requests p WHERE p.expires_at < now();
	-- a minute more than they live: the clocks of the processes that checked them may be behind
	DELETE FROM client_assertions a WHERE a.expires_at < now() - interval '1 minute';
	DELETE FROM authorization_codes c WHERE c.expires_at < now() - interval '1 day';
	DELETE FROM sessions s WHERE s.expires_at < now() - interval '90 days';
	RETURN '{}';
END $$;

DO $$
BEGIN
	EXECUTE format('REVOKE EXECUTE ON FUNCTION find_client_keys, take_assertion, push_request, take_pushed_request FROM %I',
		current_database() || '_worker');
END $$;
