-- Contacts verified by code: what a person wrote down as her e-mail is known to be hers only when a code that was sent there comes back.
-- What the provider of her digital identity gave is verified by that provider.

ALTER TABLE persons ADD COLUMN email_verified_at timestamptz;
UPDATE persons SET email_verified_at = login_at WHERE email IS NOT NULL AND NOT contacts_own AND login_at IS NOT NULL;

-- sealed is the code, under AES-256-GCM: six digits would be no secret under any digest.
CREATE TABLE contact_codes (
	id uuid PRIMARY KEY DEFAULT uuid7(),
	person_id uuid NOT NULL REFERENCES persons ON DELETE CASCADE,
	email text NOT NULL,
	sealed text NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	expires_at timestamptz NOT NULL DEFAULT now() + interval '15 minutes',
	attempts int NOT NULL DEFAULT 0,                -- at the code
	confirmed_at timestamptz,
	due_at timestamptz DEFAULT now(),               -- when to send it (again); NULL: it is sent, or given up
	sendings int NOT NULL DEFAULT 0
);
CREATE INDEX contact_codes_person ON contact_codes (person_id, created_at);
CREATE INDEX contact_codes_due ON contact_codes (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX contact_codes_expiry ON contact_codes (expires_at);

ALTER TABLE contact_codes ENABLE ROW LEVEL SECURITY;
ALTER TABLE contact_codes FORCE ROW LEVEL SECURITY;
DO $$
DECLARE
	service text := current_database();
BEGIN
	EXECUTE format('CREATE POLICY owner ON contact_codes TO %I USING (true) WITH CHECK (true)', current_user);
	EXECUTE format('REVOKE ALL ON contact_codes FROM %I, %I', service, service || '_worker');
	EXECUTE format('CREATE POLICY own ON contact_codes TO %I USING (person_id = app_subject()) WITH CHECK (person_id = app_subject())', service);
	EXECUTE format('GRANT SELECT, INSERT, UPDATE (attempts, confirmed_at) ON contact_codes TO %I', service);
	EXECUTE format('GRANT UPDATE (email_verified_at) ON persons TO %I', service);
END $$;

-- Another address is another question; the provider's own is answered by the login that brings it.
CREATE FUNCTION doubt_changed_email() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF new.email IS DISTINCT FROM old.email THEN
		new.email_verified_at := NULL;
	END IF;
	IF new.email IS NOT NULL AND NOT new.contacts_own AND new.login_at IS NOT NULL THEN
		new.email_verified_at := coalesce(new.email_verified_at, now());
	END IF;
	RETURN new;
END $$;
CREATE TRIGGER doubt_changed_email BEFORE UPDATE OF email, login_at ON persons FOR EACH ROW EXECUTE FUNCTION doubt_changed_email();

CREATE OR REPLACE FUNCTION person_json(person persons) RETURNS json LANGUAGE sql STABLE AS $$
	SELECT json_strip_nulls(json_build_object(
		'id', person.id, 'fiscalCode', person.fiscal_code, 'givenName', person.given_name, 'familyName', person.family_name,
		'birthDate', person.birth_date, 'birthPlace', person.birth_place, 'gender', person.gender,
		'residence', json_build_object('address', person.address, 'postalCode', person.postal_code,
			'municipality', person.municipality, 'province', person.province),
		'contacts', json_build_object('email', person.email, 'mobilePhone', person.mobile_phone,
			'emailVerified', CASE WHEN person.email IS NOT NULL THEN person.email_verified_at IS NOT NULL END),
		'children', coalesce((
			SELECT json_agg(json_build_object('id', p.id, 'fiscalCode', p.fiscal_code, 'givenName', p.given_name,
				'familyName', p.family_name, 'birthDate', p.birth_date) ORDER BY p.birth_date, p.id)
			FROM children c JOIN persons p ON p.id = c.child_id
			WHERE c.parent_id = person.id AND p.birth_date > current_date - interval '18 years'), '[]'),
		'lastLogin', CASE WHEN person.login_at IS NOT NULL THEN json_build_object('at', to_utc(person.login_at),
			'provider', person.login_provider, 'acr', person.login_acr) END))
$$;

-- A code for the caller's e-mail; five in an hour.
CREATE FUNCTION begin_contact_code(id uuid, sealed text) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
	person persons;
	made contact_codes;
BEGIN
	SELECT * INTO person FROM persons p WHERE p.id = app_subject() FOR UPDATE;
	PERFORM refuse(409, 'no-email', 'There is no e-mail to verify: write it into the contacts first.') WHERE person.email IS NULL;
	PERFORM refuse(409, 'email-verified', 'This e-mail is verified already.') WHERE person.email_verified_at IS NOT NULL;
	PERFORM refuse(409, 'too-many-codes', 'Five codes were sent within an hour: look into the mailbox, or wait.')
	FROM contact_codes c WHERE c.person_id = app_subject() AND c.created_at > now() - interval '1 hour' HAVING count(*) >= 5;
	INSERT INTO contact_codes (id, person_id, email, sealed) VALUES (begin_contact_code.id, person.id, person.email, begin_contact_code.sealed)
	RETURNING * INTO made;
	NOTIFY tasks, 'contact-codes';
	RETURN json_build_object('id', made.id, 'email', made.email, 'expiresAt', to_utc(made.expires_at));
END $$;

-- Five wrong answers are all that a code stands: each try counts before it is looked at.
CREATE FUNCTION try_contact_code(code uuid) RETURNS json LANGUAGE sql AS $$
	UPDATE contact_codes c SET attempts = c.attempts + 1
	WHERE c.id = code AND c.person_id = app_subject() AND c.confirmed_at IS NULL AND c.expires_at > now() AND c.attempts < 5
	RETURNING json_build_object('sealed', c.sealed)
$$;

-- The code was right. NULL: the e-mail is another one by now.
CREATE FUNCTION confirm_contact(code uuid) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
	right_one contact_codes;
	person persons;
BEGIN
	UPDATE contact_codes c SET confirmed_at = now() WHERE c.id = code AND c.person_id = app_subject() AND c.confirmed_at IS NULL
	RETURNING * INTO right_one;
	UPDATE persons p SET email_verified_at = now(), version = p.version + 1, updated_at = now()
	WHERE p.id = app_subject() AND p.email = right_one.email RETURNING * INTO person;
	PERFORM refuse(409, 'email-changed', 'The e-mail has changed since the code was sent.') WHERE person.id IS NULL;
	PERFORM emit_event(NULL, 'person.updated', person.id, person.id, '{"changed": ["contacts"]}');
	RETURN person_json(person);
END $$;

CREATE FUNCTION claim_contact_code() RETURNS json LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
	UPDATE contact_codes c SET sendings = c.sendings + 1, due_at = now() + make_interval(secs => 60 * 2 ^ c.sendings)
	WHERE c.id = (SELECT w.id FROM contact_codes w WHERE w.due_at <= now() AND w.expires_at > now() ORDER BY w.due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
	RETURNING json_build_object('id', c.id, 'email', c.email, 'sealed', c.sealed)
$$;

-- Sent, or not to be tried again; else it is, while it is good.
CREATE FUNCTION settle_contact_code(code uuid, done boolean) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
	UPDATE contact_codes c SET due_at = NULL WHERE c.id = code AND done
$$;

CREATE FUNCTION sweep_contact_codes() RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
	DELETE FROM contact_codes c WHERE c.expires_at < now() - interval '1 day';
	RETURN '{}';
END $$;

CREATE FUNCTION journal_verification() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
	PERFORM journal('email-verified', new.person_id);
	RETURN NULL;
END $$;
CREATE TRIGGER journal_verified AFTER UPDATE OF confirmed_at ON contact_codes FOR EACH ROW
	WHEN (old.confirmed_at IS NULL AND new.confirmed_at IS NOT NULL) EXECUTE FUNCTION journal_verification();

CREATE OR REPLACE FUNCTION journal_text(event security_events) RETURNS text LANGUAGE sql STABLE AS $$
	SELECT CASE event.kind
		WHEN 'login' THEN format('Accesso a «%s» con %s.', name_of_client(event.client_id), CASE
			WHEN event.detail ->> 'provider' = 'demo' THEN 'il fornitore dimostrativo'
			ELSE coalesce((SELECT p.name FROM saml_providers p WHERE p.entity_id = event.detail ->> 'provider'), event.detail ->> 'provider') END)
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
		WHEN 'acting-began' THEN format('Un operatore del %s ha iniziato ad agire per te, con il tuo mandato.', name_of_tenant(event.tenant_id))
		WHEN 'acting-ended' THEN format('Un operatore del %s ha smesso di agire per te.', name_of_tenant(event.tenant_id))
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
		ELSE event.kind END
$$;

DO $$
DECLARE
	service text := current_database();
	worker text := current_database() || '_worker';
BEGIN
	EXECUTE format('REVOKE EXECUTE ON FUNCTION doubt_changed_email, journal_verification FROM %I, %I', service, worker);
	EXECUTE format('REVOKE EXECUTE ON FUNCTION begin_contact_code, try_contact_code, confirm_contact FROM %I', worker);
	EXECUTE format('REVOKE EXECUTE ON FUNCTION claim_contact_code, settle_contact_code, sweep_contact_codes FROM %I', service);
END $$;
