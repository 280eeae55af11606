-- Delegations: a citizen lets another citizen act for her, in the whole area, for some scopes and until a day. The other one accepts with a
-- code that she hands over herself, so that a mistyped fiscal code opens nothing. One at a time for a pair.

CREATE TABLE delegations (
	id uuid PRIMARY KEY DEFAULT uuid7(),
	grantor_id uuid NOT NULL REFERENCES persons ON DELETE CASCADE,
	grantor_code text NOT NULL,
	grantor_name text NOT NULL,
	delegate_code text NOT NULL CHECK (length(delegate_code) = 16),
	delegate_name text NOT NULL,                    -- as the grantor wrote it
	delegate_id uuid REFERENCES persons ON DELETE CASCADE,  -- NULL: not accepted yet
	scopes text[] NOT NULL CHECK (scopes <@ '{practices,payments,bookings,messages}' AND scopes <> '{}'),
	ends_on date NOT NULL,                          -- the last day, in Italy
	code bytea NOT NULL,                            -- SHA-256 of the code, which has 50 random bits and five tries
	attempts int NOT NULL DEFAULT 0,
	created_at timestamptz NOT NULL DEFAULT now(),
	accepted_at timestamptz,
	ended_at timestamptz,
	ended_by text CHECK (ended_by IN ('grantor', 'delegate', 'time')),
	CHECK ((accepted_at IS NULL) = (delegate_id IS NULL))
);
CREATE UNIQUE INDEX delegation_exists ON delegations (grantor_id, delegate_code) WHERE ended_at IS NULL;
CREATE INDEX delegations_grantor ON delegations (grantor_id, id DESC);
CREATE INDEX delegations_delegate ON delegations (delegate_code, id DESC);

ALTER TABLE sessions
	ADD COLUMN delegation_id uuid REFERENCES delegations ON DELETE CASCADE,
	DROP CONSTRAINT acting,
	ADD CONSTRAINT acting CHECK (num_nonnulls(mandate_id, delegation_id) = num_nonnulls(actor_session_id));
CREATE UNIQUE INDEX sessions_acting_delegate ON sessions (actor_session_id, delegation_id) WHERE ended_at IS NULL AND delegation_id IS NOT NULL;
CREATE INDEX sessions_delegation ON sessions (delegation_id) WHERE delegation_id IS NOT NULL;

CREATE FUNCTION own_fiscal_code() RETURNS text LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
	SELECT p.fiscal_code FROM persons p WHERE p.id = app_subject()
$$;

ALTER TABLE delegations ENABLE ROW LEVEL SECURITY;
ALTER TABLE delegations FORCE ROW LEVEL SECURITY;
DO $$
DECLARE
	service text := current_database();
BEGIN
	EXECUTE format('CREATE POLICY owner ON delegations TO %I USING (true) WITH CHECK (true)', current_user);
	EXECUTE format('REVOKE ALL ON delegations FROM %I, %I', service, service || '_worker');
	EXECUTE format('CREATE POLICY given ON delegations TO %I USING (grantor_id = app_subject()) WITH CHECK (grantor_id = app_subject())', service);
	EXECUTE format('CREATE POLICY received ON delegations FOR SELECT TO %I USING (delegate_code = own_fiscal_code())', service);
	EXECUTE format('CREATE POLICY answered ON delegations FOR UPDATE TO %I USING (delegate_code = own_fiscal_code())
		WITH CHECK (delegate_code = own_fiscal_code())', service);
	EXECUTE format('GRANT SELECT, INSERT, UPDATE (scopes, ends_on, delegate_id, attempts, accepted_at, ended_at, ended_by) ON delegations TO %I',
		service);
END $$;

CREATE FUNCTION italian_day() RETURNS date LANGUAGE sql STABLE AS $$ SELECT (now() AT TIME ZONE 'Europe/Rome')::date $$;

CREATE FUNCTION delegation_json(delegation delegations) RETURNS json LANGUAGE sql STABLE AS $$
	SELECT json_strip_nulls(json_build_object('id', delegation.id,
		'role', CASE WHEN delegation.grantor_id = app_subject() THEN 'given' ELSE 'received' END,
		'grantor', json_build_object('fiscalCode', delegation.grantor_code, 'name', delegation.grantor_name),
		'delegate', json_build_object('fiscalCode', delegation.delegate_code, 'name', delegation.delegate_name),
		'scopes', delegation.scopes, 'endsOn', delegation.ends_on,
		'state', CASE WHEN delegation.ended_at IS NOT NULL THEN 'ended' WHEN delegation.ends_on < italian_day() THEN 'expired'
			WHEN delegation.accepted_at IS NULL THEN 'proposed' ELSE 'active' END,
		'createdAt', to_utc(delegation.created_at), 'acceptedAt', to_utc(delegation.accepted_at), 'endedAt', to_utc(delegation.ended_at),
		'endedBy', delegation.ended_by))
$$;

CREATE FUNCTION require_end(day date) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	RETURN day BETWEEN italian_day() AND italian_day() + 365
		OR refuse(422, 'end-out-of-range', 'A delegation ends today at the earliest and in 365 days at the latest.');
END $$;

CREATE FUNCTION create_delegation(wanted jsonb, code text) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
	person persons;
	made delegations;
BEGIN
	SELECT * INTO person FROM persons p WHERE p.id = app_subject();
	IF NOT FOUND THEN
		RETURN NULL;
	END IF;
	PERFORM refuse(422, 'not-another-person', 'The delegate is another person, with a fiscal code of 16 characters.')
	WHERE wanted ->> 'fiscalCode' = person.fiscal_code OR length(wanted ->> 'fiscalCode') <> 16;
	PERFORM require_end((wanted ->> 'endsOn')::date);
	UPDATE delegations d SET ended_at = now(), ended_by = 'time'
	WHERE d.grantor_id = person.id AND d.delegate_code = wanted ->> 'fiscalCode' AND d.ended_at IS NULL AND d.ends_on < italian_day();
	INSERT INTO delegations (grantor_id, grantor_code, grantor_name, delegate_code, delegate_name, scopes, ends_on, code)
	VALUES (person.id, person.fiscal_code, concat_ws(' ', person.given_name, person.family_name), wanted ->> 'fiscalCode', wanted ->> 'name',
		ARRAY(SELECT jsonb_array_elements_text(wanted -> 'scopes')), (wanted ->> 'endsOn')::date,
		sha256(convert_to(create_delegation.code, 'UTF8')))
	RETURNING * INTO made;
	RETURN (delegation_json(made)::jsonb || jsonb_build_object('code', create_delegation.code))::json;
END $$;

-- true: accepted; false: another code. Five tries, counted before the code is looked at. NULL: nothing to accept.
CREATE FUNCTION accept_delegation(delegation uuid, code text) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
	held delegations;
BEGIN
	UPDATE delegations d SET attempts = d.attempts + 1
	WHERE d.id = delegation AND d.delegate_code = own_fiscal_code() AND d.accepted_at IS NULL AND d.ended_at IS NULL
		AND d.ends_on >= italian_day() AND d.attempts < 5
	RETURNING * INTO held;
	IF NOT FOUND THEN
		RETURN NULL;
	END IF;
	IF held.code <> sha256(convert_to(accept_delegation.code, 'UTF8')) THEN
		RETURN json_build_object('accepted', false);
	END IF;
	UPDATE delegations d SET accepted_at = now(), delegate_id = app_subject() WHERE d.id = held.id RETURNING * INTO held;
	RETURN json_build_object('accepted', true, 'delegation', delegation_json(held));
END $$;

-- ---- acting

-- What was being done for somebody ends with what allowed it, and with the login of who did it. A delegation that says less than before
-- ends it, too: the next exchange says what is left.
CREATE OR REPLACE FUNCTION end_acting() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
	UPDATE sessions s SET ended_at = now(), end_cause = CASE tg_table_name WHEN 'mandates' THEN 'mandate ended'
		WHEN 'delegations' THEN 'delegation ended' ELSE 'the helper logged out' END
	WHERE s.ended_at IS NULL AND CASE tg_table_name WHEN 'mandates' THEN s.mandate_id = new.id
		WHEN 'delegations' THEN s.delegation_id = new.id ELSE s.actor_session_id = new.id END;
	RETURN NULL;
END $$;
DROP TRIGGER end_acting ON sessions;
CREATE TRIGGER end_acting AFTER UPDATE OF ended_at ON sessions FOR EACH ROW
	WHEN (old.ended_at IS NULL AND new.ended_at IS NOT NULL AND new.actor_session_id IS NULL) EXECUTE FUNCTION end_acting();
CREATE TRIGGER end_acting AFTER UPDATE OF ended_at, scopes, ends_on ON delegations FOR EACH ROW
	WHEN ((old.ended_at IS NULL AND new.ended_at IS NOT NULL) OR NOT old.scopes <@ new.scopes OR new.ends_on < old.ends_on)
	EXECUTE FUNCTION end_acting();
CREATE INDEX sessions_actor ON sessions (actor_session_id) WHERE actor_session_id IS NOT NULL;

-- RFC 8693: what a token says with which the delegate (her session) acts for the grantor; {"error", "why"} when she may not.
CREATE FUNCTION exchange_delegation(delegation uuid, actor_session uuid, client text, asked text) RETURNS json
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
	helper sessions;
	held delegations;
	acting sessions;
BEGIN
	SELECT * INTO helper FROM sessions s
	WHERE s.id = actor_session AND s.kind = 'citizen' AND s.actor_session_id IS NULL AND s.client_id = client;
	IF helper.id IS NULL OR session_claims(helper.id, NULL) IS NULL THEN
		RETURN '{"error": "invalid_grant", "why": "The actor_token is not that of a citizen who is logged in here."}';
	END IF;
	SELECT * INTO held FROM delegations d WHERE d.id = delegation AND d.delegate_id = helper.subject_id FOR UPDATE;
	IF held.id IS NULL OR held.ended_at IS NOT NULL OR held.ends_on < italian_day()
		OR EXISTS (SELECT FROM persons p WHERE p.id = held.grantor_id AND p.blocked_at IS NOT NULL)
	THEN
		RETURN '{"error": "invalid_grant", "why": "There is no such delegation to this person, or it is not active."}';
	END IF;
	IF granted_scopes(asked, held.scopes) = '{}' THEN
		RETURN '{"error": "invalid_scope", "why": "None of these scopes is in the delegation."}';
	END IF;
	INSERT INTO sessions (kind, subject_id, client_id, scopes, provider, acr, amr, attributes, expires_at, delegation_id, actor_session_id)
	VALUES ('citizen', held.grantor_id, client, held.scopes, 'delegation', helper.acr, '{delegation}', jsonb_build_object('name', held.grantor_name),
		least((held.ends_on + 1)::timestamp AT TIME ZONE 'Europe/Rome', helper.expires_at), held.id, helper.id)
	ON CONFLICT (actor_session_id, delegation_id) WHERE ended_at IS NULL AND delegation_id IS NOT NULL
	DO UPDATE SET last_used_at = now() RETURNING * INTO acting;
	IF session_claims(acting.id, asked) IS NULL THEN
		RETURN '{"error": "invalid_grant", "why": "The delegation has run out."}';
	END IF;
	RETURN (session_claims(acting.id, asked)::jsonb || jsonb_build_object('act', jsonb_build_object('sub', helper.subject_id,
		'delegation', held.id), 'notAfter', floor(extract(epoch FROM acting.expires_at))::bigint))::json;
END $$;

-- ---- the journal

CREATE OR REPLACE FUNCTION journal_session() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
	mandate mandates;
BEGIN
	IF new.mandate_id IS NOT NULL THEN
		SELECT * INTO mandate FROM mandates m WHERE m.id = new.mandate_id;
	END IF;
	IF tg_op = 'INSERT' THEN
		PERFORM journal(CASE WHEN new.actor_session_id IS NULL THEN 'login' ELSE 'acting-began' END, new.subject_id,
			jsonb_build_object('provider', new.provider, 'acr', new.acr, 'mandate', new.mandate_id, 'delegation', new.delegation_id),
			(SELECT s.subject_id FROM sessions s WHERE s.id = new.actor_session_id), coalesce(new.tenant_id, mandate.tenant_id),
			new.client_id, new.id);
	ELSE
		PERFORM journal(CASE WHEN new.end_cause IN ('refresh token replayed', 'code replayed', 'code misused') THEN 'attack-stopped'
				WHEN new.actor_session_id IS NOT NULL THEN 'acting-ended' ELSE 'logout' END, new.subject_id,
			jsonb_build_object('cause', new.end_cause, 'mandate', new.mandate_id, 'delegation', new.delegation_id), NULL,
			coalesce(new.tenant_id, mandate.tenant_id), new.client_id, new.id);
	END IF;
	RETURN NULL;
END $$;

CREATE FUNCTION journal_delegation() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
	IF tg_op = 'INSERT' THEN
		PERFORM journal('delegation-given', new.grantor_id, jsonb_build_object('delegation', new.id, 'scopes', new.scopes, 'endsOn', new.ends_on));
		RETURN NULL;
	END IF;
	IF old.accepted_at IS NULL AND new.accepted_at IS NOT NULL THEN
		PERFORM journal('delegation-accepted', person, jsonb_build_object('delegation', new.id, 'grantor', CASE WHEN person = new.grantor_id THEN true END),
			new.delegate_id) FROM unnest(ARRAY[new.grantor_id, new.delegate_id]) AS person;
	END IF;
	IF old.ended_at IS NULL AND new.ended_at IS NOT NULL THEN
		PERFORM journal('delegation-ended', new.grantor_id, jsonb_build_object('delegation', new.id, 'by', new.ended_by));
	END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER journal_change AFTER INSERT OR UPDATE ON delegations FOR EACH ROW EXECUTE FUNCTION journal_delegation();

CREATE OR REPLACE FUNCTION journal_text(event security_events) RETURNS text LANGUAGE sql STABLE AS $$
	SELECT CASE event.kind
		WHEN 'login' THEN format('Accesso a «%s» con %s.', name_of_client(event.client_id), CASE
			WHEN event.detail ->> 'provider' = 'demo' THEN 'il fornitore dimostrativo'
			WHEN event.detail ->> 'provider' = 'spid' THEN 'SPID'
			WHEN event.detail ->> 'provider' = 'cie' THEN 'la carta d''identità elettronica'
			ELSE event.detail ->> 'provider' END)
		WHEN 'logout' THEN CASE event.detail ->> 'cause'
			WHEN 'ended by the person' THEN format('Hai chiuso un accesso a «%s».', name_of_client(event.client_id))
			WHEN 'logged out' THEN format('Uscita da «%s».', name_of_client(event.client_id))
			WHEN 'revoked by the client' THEN format('«%s» ha chiuso il tuo accesso.', name_of_client(event.client_id))
			WHEN 'person blocked' THEN format('L''accesso a «%s» è stato chiuso perché i tuoi accessi sono bloccati.', name_of_client(event.client_id))
			ELSE format('Un accesso a «%s» è terminato.', name_of_client(event.client_id)) END
		WHEN 'attack-stopped' THEN format('L''accesso a «%s» è stato chiuso per sicurezza: %s. Se non sai perché, cambia le credenziali '
			'con cui entri e avvisa il Comune.', name_of_client(event.client_id), CASE event.detail ->> 'cause'
			WHEN 'refresh token replayed' THEN 'una sua chiave è stata usata due volte, forse da qualcuno che l''ha copiata'
			ELSE 'il codice di ingresso è stato usato due volte o da chi non doveva' END)
		WHEN 'acting-began' THEN CASE WHEN event.detail ? 'delegation' THEN 'La persona che hai delegato ha iniziato ad agire per te.' ELSE format('Un operatore del %s ha iniziato ad agire per te, con il tuo mandato.', name_of_tenant(event.tenant_id)) END
		WHEN 'acting-ended' THEN CASE WHEN event.detail ? 'delegation' THEN 'La persona che hai delegato ha smesso di agire per te.' ELSE format('Un operatore del %s ha smesso di agire per te.', name_of_tenant(event.tenant_id)) END
		WHEN 'mandate-given' THEN format('Hai dato mandato al %s di agire per te, fino al %s.', name_of_tenant(event.tenant_id),
			to_char((event.detail ->> 'endsAt')::timestamptz AT TIME ZONE 'Europe/Rome', 'DD/MM/YYYY'))
		WHEN 'mandate-ended' THEN CASE event.detail ->> 'by'
			WHEN 'person' THEN format('Hai chiuso il mandato al %s.', name_of_tenant(event.tenant_id))
			ELSE format('Il %s ha chiuso il mandato che gli avevi dato.', name_of_tenant(event.tenant_id)) END
		WHEN 'contacts-changed' THEN format('%s: %s.', CASE WHEN event.detail ? 'byProvider' THEN 'I tuoi recapiti sono stati aggiornati da chi '
			'gestisce la tua identità digitale' ELSE 'I tuoi recapiti sono cambiati' END, concat_ws(' e ',
			CASE WHEN event.detail ? 'email' THEN 'e-mail' END, CASE WHEN event.detail ? 'mobilePhone' THEN 'cellulare' END))
		WHEN 'blocked' THEN 'I tuoi accessi sono stati bloccati.'
		WHEN 'unblocked' THEN 'I tuoi accessi sono stati sbloccati.'
		WHEN 'email-verified' THEN 'Hai confermato la tua e-mail.'
		WHEN 'delegation-given' THEN format('Hai delegato un''altra persona, fino al %s; la delega vale da quando l''accetta.',
			to_char((event.detail ->> 'endsOn')::date, 'DD/MM/YYYY'))
		WHEN 'delegation-accepted' THEN CASE WHEN event.detail ? 'grantor' THEN 'La persona che hai delegato ha accettato.'
			ELSE 'Hai accettato una delega.' END
		WHEN 'delegation-ended' THEN CASE event.detail ->> 'by' WHEN 'grantor' THEN 'Hai chiuso una tua delega.'
			WHEN 'delegate' THEN 'La persona che avevi delegato ha chiuso la delega.' ELSE 'Una tua delega è scaduta.' END
		ELSE event.kind END
$$;

DO $$
DECLARE
	service text := current_database();
	worker text := current_database() || '_worker';
BEGIN
	EXECUTE format('REVOKE EXECUTE ON FUNCTION journal_delegation FROM %I, %I', service, worker);
	EXECUTE format('REVOKE EXECUTE ON FUNCTION own_fiscal_code, create_delegation, accept_delegation, exchange_delegation FROM %I', worker);
END $$;
