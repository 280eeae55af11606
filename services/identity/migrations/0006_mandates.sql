-- Assisted mandates: a person who cannot or will not use the services herself lets an office act for her, at a counter or on the phone. Her
-- consent is a signed paper, kept here; without it nothing is active. What an operator does then is done by a session of the citizen in
-- which the token names the operator, too (RFC 8693): it ends with the mandate and with the operator's own login.

CREATE TABLE mandates (
	tenant_id text NOT NULL REFERENCES tenants,     -- the organisation that may act
	id uuid NOT NULL DEFAULT uuid7(),
	person_id uuid NOT NULL REFERENCES persons ON DELETE CASCADE,
	fiscal_code text NOT NULL,                      -- names as the operator took them down
	given_name text NOT NULL,
	family_name text NOT NULL,
	scopes text[] NOT NULL CHECK (scopes <@ '{practices,payments,bookings,messages}' AND scopes <> '{}'),
	purpose text NOT NULL,
	duration text NOT NULL CHECK (duration IN ('single-use', '1-day', '31-days', '182-days', '365-days')),
	renews uuid,
	created_by uuid NOT NULL,                       -- the operator
	created_at timestamptz NOT NULL DEFAULT now(),
	starts_at timestamptz,                          -- NULL: the consent is not there yet
	ends_at timestamptz,
	used_by uuid,                                   -- single-use: the session of the operator who used it
	ended_at timestamptz,
	ended_by text CHECK (ended_by IN ('person', 'office')),
	PRIMARY KEY (tenant_id, id),
	CONSTRAINT mandate_id UNIQUE (id),
	CHECK ((starts_at IS NULL) = (ends_at IS NULL))
);
CREATE INDEX mandates_person ON mandates (person_id, id DESC);
CREATE INDEX mandates_proposed ON mandates (created_at) WHERE starts_at IS NULL;

CREATE TABLE mandate_papers (
	tenant_id text NOT NULL,
	mandate_id uuid NOT NULL,
	content bytea NOT NULL,
	sha256 text NOT NULL GENERATED ALWAYS AS (encode(sha256(content), 'hex')) STORED,
	taken_by uuid NOT NULL,
	taken_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant_id, mandate_id),
	FOREIGN KEY (tenant_id, mandate_id) REFERENCES mandates ON DELETE CASCADE
);

-- Again with its body as text, which does not hold the table's columns fast.
CREATE OR REPLACE FUNCTION is_own(held sessions, caller uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
	SELECT held.subject_id = caller AND CASE held.kind WHEN 'citizen' THEN held.subject_id = app_subject()
		ELSE held.tenant_id = app_tenant() END
$$;
ALTER TABLE sessions
	ADD COLUMN mandate_id uuid REFERENCES mandates (id) ON DELETE CASCADE,
	ADD COLUMN actor_session_id uuid REFERENCES sessions ON DELETE CASCADE,
	ADD CONSTRAINT acting CHECK ((mandate_id IS NULL) = (actor_session_id IS NULL));
CREATE UNIQUE INDEX sessions_acting ON sessions (actor_session_id, mandate_id) WHERE ended_at IS NULL AND mandate_id IS NOT NULL;
CREATE INDEX sessions_mandate ON sessions (mandate_id) WHERE mandate_id IS NOT NULL;

DO $$
DECLARE
	guarded text;
	service text := current_database();
BEGIN
	FOREACH guarded IN ARRAY ARRAY['mandates', 'mandate_papers'] LOOP
		EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', guarded);
		EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', guarded);
		EXECUTE format('CREATE POLICY owner ON %I TO %I USING (true) WITH CHECK (true)', guarded, current_user);
		EXECUTE format('REVOKE ALL ON %I FROM %I, %I', guarded, service, service || '_worker');
		EXECUTE format('CREATE POLICY own_tenant ON %I TO %I USING (tenant_id = app_tenant()) WITH CHECK (tenant_id = app_tenant())',
			guarded, service);
	END LOOP;
	EXECUTE format('CREATE POLICY own ON mandates FOR SELECT TO %I USING (person_id = app_subject())', service);
	EXECUTE format('CREATE POLICY own_end ON mandates FOR UPDATE TO %I USING (person_id = app_subject()) WITH CHECK (person_id = app_subject())',
		service);
	EXECUTE format('CREATE POLICY own ON mandate_papers FOR SELECT TO %I
		USING (EXISTS (SELECT FROM mandates m WHERE m.id = mandate_id AND m.person_id = app_subject()))', service);
	EXECUTE format('GRANT SELECT, INSERT, UPDATE (starts_at, ends_at, ended_at, ended_by) ON mandates TO %I', service);
	EXECUTE format('GRANT SELECT, INSERT ON mandate_papers TO %I', service);
END $$;

CREATE FUNCTION mandate_json(mandate mandates) RETURNS json LANGUAGE sql STABLE AS $$
	SELECT json_strip_nulls(json_build_object('id', mandate.id, 'tenant', mandate.tenant_id,
		'person', json_build_object('fiscalCode', mandate.fiscal_code, 'givenName', mandate.given_name, 'familyName', mandate.family_name),
		'scopes', mandate.scopes, 'purpose', mandate.purpose, 'duration', mandate.duration, 'renews', mandate.renews,
		'state', CASE WHEN mandate.ended_at IS NOT NULL THEN 'ended' WHEN mandate.starts_at IS NULL THEN 'proposed'
			WHEN mandate.ends_at <= now() THEN 'expired' ELSE 'active' END,
		'createdAt', to_utc(mandate.created_at), 'createdBy', mandate.created_by, 'startsAt', to_utc(mandate.starts_at),
		'endsAt', to_utc(mandate.ends_at), 'endedAt', to_utc(mandate.ended_at), 'endedBy', mandate.ended_by,
		'paper', (SELECT json_build_object('sha256', p.sha256, 'takenBy', p.taken_by, 'takenAt', to_utc(p.taken_at)) FROM mandate_papers p
			WHERE p.tenant_id = mandate.tenant_id AND p.mandate_id = mandate.id)))
$$;

-- The person of a fiscal code, made when she was never here. What is known of her stays as it is and is not told.
CREATE FUNCTION assisted_person(code text, given text, family text) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
	made uuid;
BEGIN
	INSERT INTO persons (fiscal_code, given_name, family_name) VALUES (code, given, family)
	ON CONFLICT (fiscal_code) DO NOTHING RETURNING id INTO made;
	IF made IS NOT NULL THEN
		PERFORM emit_event(NULL, 'person.updated', made, made, '{"changed": ["names", "contacts"]}');
		RETURN made;
	END IF;
	RETURN (SELECT p.id FROM persons p WHERE p.fiscal_code = code);
END $$;

CREATE FUNCTION mandate_life(duration text) RETURNS interval LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE duration WHEN 'single-use' THEN interval '1 day' ELSE replace(duration, '-', ' ')::interval END
$$;

-- Keeps the signed paper: the mandate begins, and one that it renews ends.
CREATE FUNCTION take_mandate_paper(mandate uuid, content bytea, operator uuid) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
	held mandates;
BEGIN
	SELECT * INTO held FROM mandates m WHERE m.tenant_id = app_tenant() AND m.id = mandate FOR UPDATE;
	IF NOT FOUND THEN
		RETURN NULL;
	END IF;
	PERFORM refuse(409, 'wrong-state', 'Only a proposed mandate waits for its paper.')
	WHERE held.starts_at IS NOT NULL OR held.ended_at IS NOT NULL;
	INSERT INTO mandate_papers (tenant_id, mandate_id, content, taken_by) VALUES (held.tenant_id, held.id, content, operator);
	UPDATE mandates m SET starts_at = now(), ends_at = now() + mandate_life(m.duration)
	WHERE m.tenant_id = held.tenant_id AND m.id = held.id RETURNING * INTO held;
	UPDATE mandates m SET ended_at = now(), ended_by = 'office'
	WHERE m.tenant_id = held.tenant_id AND m.id = held.renews AND m.ended_at IS NULL;
	RETURN mandate_json(held);
END $$;

-- What was done under a mandate ends with it, and what an operator did for others ends with her own login.
CREATE FUNCTION end_acting() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
	IF tg_table_name = 'mandates' THEN
		UPDATE sessions s SET ended_at = now(), end_cause = 'mandate ended' WHERE s.mandate_id = new.id AND s.ended_at IS NULL;
	ELSE
		UPDATE sessions s SET ended_at = now(), end_cause = 'the helper logged out'
		WHERE s.actor_session_id = new.id AND s.ended_at IS NULL;
	END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER end_acting AFTER UPDATE OF ended_at ON mandates FOR EACH ROW
	WHEN (old.ended_at IS NULL AND new.ended_at IS NOT NULL) EXECUTE FUNCTION end_acting();
CREATE TRIGGER end_acting AFTER UPDATE OF ended_at ON sessions FOR EACH ROW
	WHEN (old.ended_at IS NULL AND new.ended_at IS NOT NULL AND new.kind = 'operator') EXECUTE FUNCTION end_acting();

-- RFC 8693: what a token says with which an operator (her session) acts under a mandate; {"error", "why"} when she may not. A single use
-- is one operator's, for one hour.
CREATE FUNCTION exchange_mandate(mandate uuid, actor_session uuid, client text, asked text) RETURNS json
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
	helper sessions;
	held mandates;
	acting sessions;
BEGIN
	SELECT * INTO helper FROM sessions s WHERE s.id = actor_session AND s.kind = 'operator' AND s.client_id = client;
	IF helper.id IS NULL OR session_claims(helper.id, NULL) IS NULL THEN
		RETURN '{"error": "invalid_grant", "why": "The actor_token is not that of an operator who is logged in here."}';
	END IF;
	SELECT * INTO held FROM mandates m WHERE m.tenant_id = helper.tenant_id AND m.id = mandate FOR UPDATE;
	IF held.id IS NULL OR held.starts_at IS NULL OR held.ended_at IS NOT NULL OR held.ends_at <= now()
		OR held.used_by <> helper.id OR EXISTS (SELECT FROM persons p WHERE p.id = held.person_id AND p.blocked_at IS NOT NULL)
	THEN
		RETURN '{"error": "invalid_grant", "why": "There is no such mandate of this office, or it is not active."}';
	END IF;
	IF held.duration = 'single-use' AND held.used_by IS NULL THEN
		UPDATE mandates m SET used_by = helper.id, ends_at = least(m.ends_at, now() + interval '1 hour')
		WHERE m.id = held.id RETURNING * INTO held;
	END IF;
	IF granted_scopes(asked, held.scopes) = '{}' THEN
		RETURN '{"error": "invalid_scope", "why": "None of these scopes is in the mandate."}';
	END IF;
	INSERT INTO sessions (kind, subject_id, client_id, scopes, provider, acr, amr, attributes, expires_at, mandate_id, actor_session_id)
	VALUES ('citizen', held.person_id, client, held.scopes, 'mandate', helper.acr, '{mandate}',
		jsonb_build_object('name', held.given_name, 'familyName', held.family_name), least(held.ends_at, helper.expires_at), held.id, helper.id)
	ON CONFLICT (actor_session_id, mandate_id) WHERE ended_at IS NULL AND mandate_id IS NOT NULL
	DO UPDATE SET last_used_at = now() RETURNING * INTO acting;
	IF session_claims(acting.id, asked) IS NULL THEN
		RETURN '{"error": "invalid_grant", "why": "The mandate has run out."}';
	END IF;
	RETURN (session_claims(acting.id, asked)::jsonb || jsonb_build_object('act', jsonb_build_object('sub', helper.subject_id,
		'tenant', held.tenant_id, 'mandate', held.id), 'notAfter', floor(extract(epoch FROM acting.expires_at))::bigint))::json;
END $$;

-- Proposals that nobody signed within a month.
CREATE FUNCTION sweep_mandates() RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
	DELETE FROM mandates m WHERE m.starts_at IS NULL AND m.created_at < now() - interval '31 days';
	RETURN '{}';
END $$;

DO $$
DECLARE
	service text := current_database();
	worker text := current_database() || '_worker';
BEGIN
	EXECUTE format('REVOKE EXECUTE ON FUNCTION end_acting FROM %I, %I', service, worker);
	EXECUTE format('REVOKE EXECUTE ON FUNCTION assisted_person, take_mandate_paper, exchange_mandate FROM %I', worker);
	EXECUTE format('REVOKE EXECUTE ON FUNCTION sweep_mandates FROM %I', service);
END $$;
