-- What a person consented to being told, how and when: each version of her preferences is kept as it was, whoever changed them. The proof is
-- the journal: the line of each change has the number and the digest of the version, and stands in its chain.

CREATE TABLE preference_versions (
	person_id uuid NOT NULL REFERENCES persons ON DELETE CASCADE,
	number int NOT NULL,
	since timestamptz NOT NULL DEFAULT clock_timestamp(),
	preferences jsonb NOT NULL,
	sha256 text NOT NULL,
	PRIMARY KEY (person_id, number)
);

ALTER TABLE preference_versions ENABLE ROW LEVEL SECURITY;
ALTER TABLE preference_versions FORCE ROW LEVEL SECURITY;
DO $$
DECLARE
	service text := current_database();
BEGIN
	EXECUTE format('CREATE POLICY owner ON preference_versions TO %I USING (true) WITH CHECK (true)', current_user);
	EXECUTE format('REVOKE ALL ON preference_versions FROM %I, %I', service, service || '_worker');
	EXECUTE format('CREATE POLICY own ON preference_versions FOR SELECT TO %I USING (person_id = app_subject())', service);
	EXECUTE format('GRANT SELECT ON preference_versions TO %I', service);
END $$;

CREATE FUNCTION digest_of(document jsonb) RETURNS text LANGUAGE sql STABLE AS $$
	SELECT encode(sha256(convert_to(document::text, 'UTF8')), 'hex')
$$;

-- At the end of the transaction, when the person and her exceptions are both as they will be. A version that says what the one before said
-- is none.
CREATE FUNCTION keep_preferences() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
	person persons;
	last preference_versions;
	made preference_versions;
BEGIN
	SELECT * INTO person FROM persons p WHERE p.id = new.id FOR UPDATE;
	SELECT * INTO last FROM preference_versions v WHERE v.person_id = person.id ORDER BY v.number DESC LIMIT 1;
	IF person.id IS NULL OR last.preferences = preferences_json(person)::jsonb THEN
		RETURN NULL;
	END IF;
	INSERT INTO preference_versions (person_id, number, preferences, sha256)
	VALUES (person.id, coalesce(last.number, 0) + 1, preferences_json(person)::jsonb, digest_of(preferences_json(person)::jsonb))
	RETURNING * INTO made;
	IF made.number > 1 THEN
		PERFORM journal('preferences-changed', person.id, jsonb_build_object('version', made.number, 'sha256', made.sha256));
	END IF;
	RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER keep_preferences AFTER INSERT OR UPDATE OF language, quiet_from, quiet_to, channels, version ON persons
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION keep_preferences();

INSERT INTO preference_versions (person_id, number, since, preferences, sha256)
SELECT p.id, 1, p.updated_at, preferences_json(p)::jsonb, digest_of(preferences_json(p)::jsonb) FROM persons p;

-- No version is changed; it goes with its person.
CREATE FUNCTION refuse_version_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION 'a version of preferences stays as it was';
END $$;
CREATE TRIGGER version_stays BEFORE UPDATE ON preference_versions FOR EACH ROW EXECUTE FUNCTION refuse_version_change();

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
		WHEN 'preferences-changed' THEN 'Hai cambiato come vuoi ricevere i messaggi.'
		ELSE event.kind END
$$;

DO $$
BEGIN
	EXECUTE format('REVOKE EXECUTE ON FUNCTION keep_preferences, refuse_version_change, digest_of FROM %I, %I', current_database(),
		current_database() || '_worker');
END $$;
