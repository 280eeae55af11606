-- The journal of security events: what happened to the access of a person, written by triggers in the transaction of what happened, whatever
-- statement did it. Nobody changes or removes a line (no role may, and triggers refuse it to the owner, too) before 24 months have
-- passed. A task links the lines into a chain a moment later, so that no login waits for another: from then on a change, a gap or another
-- order shows (verify_journal, deploy/verify). It holds ids and no names; its person reads it in plain Italian.

CREATE TABLE security_events (
	id uuid PRIMARY KEY DEFAULT uuid7(),
	at timestamptz NOT NULL DEFAULT clock_timestamp(),
	kind text NOT NULL,
	subject_id uuid NOT NULL,                       -- whose access it is about: a person or an operator
	actor_id uuid,                                  -- who did it, when it was an operator for the person
	tenant_id text,                                 -- of an operator or an office
	client_id text,
	session_id uuid,
	detail jsonb NOT NULL DEFAULT '{}',
	link bigint UNIQUE,                             -- place in the chain; NULL: not linked yet
	previous bytea,
	chain bytea
);
CREATE INDEX security_events_subject ON security_events (subject_id, id DESC);
CREATE INDEX security_events_unlinked ON security_events (id) WHERE link IS NULL;

ALTER TABLE security_events ENABLE ROW LEVEL SECURITY;
ALTER TABLE security_events FORCE ROW LEVEL SECURITY;
DO $$
DECLARE
	service text := current_database();
BEGIN
	EXECUTE format('CREATE POLICY owner ON security_events TO %I USING (true) WITH CHECK (true)', current_user);
	EXECUTE format('REVOKE ALL ON security_events FROM %I, %I', service, service || '_worker');
	EXECUTE format('CREATE POLICY own ON security_events FOR SELECT TO %I USING (subject_id = app_subject())', service);
	EXECUTE format('GRANT SELECT ON security_events TO %I', service);
END $$;

CREATE FUNCTION keep_journal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF tg_op = 'UPDATE' AND old.link IS NULL AND new.chain IS NOT NULL
		AND to_jsonb(new) - '{link,previous,chain}'::text[] = to_jsonb(old) - '{link,previous,chain}'::text[]
	THEN
		RETURN new;
	END IF;
	IF tg_op = 'DELETE' AND old.at < now() - interval '24 months' THEN
		RETURN old;
	END IF;
	RAISE EXCEPTION 'the journal of security events is kept as it is for 24 months';
END $$;
CREATE TRIGGER journal_stays BEFORE UPDATE OR DELETE ON security_events FOR EACH ROW EXECUTE FUNCTION keep_journal();
CREATE TRIGGER journal_is_not_emptied BEFORE TRUNCATE ON security_events FOR EACH STATEMENT EXECUTE FUNCTION keep_journal();

CREATE FUNCTION journal(kind text, subject uuid, detail jsonb DEFAULT '{}', actor uuid DEFAULT NULL, tenant text DEFAULT NULL,
	client text DEFAULT NULL, session uuid DEFAULT NULL)
RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
	INSERT INTO security_events (kind, subject_id, detail, actor_id, tenant_id, client_id, session_id)
	VALUES ($1, $2, jsonb_strip_nulls($3), $4, $5, $6, $7)
$$;

-- ---- what is written

CREATE FUNCTION journal_session() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
	mandate mandates;
BEGIN
	IF new.mandate_id IS NOT NULL THEN
		SELECT * INTO mandate FROM mandates m WHERE m.id = new.mandate_id;
	END IF;
	IF tg_op = 'INSERT' THEN
		PERFORM journal(CASE WHEN new.mandate_id IS NULL THEN 'login' ELSE 'acting-began' END, new.subject_id,
			jsonb_build_object('provider', new.provider, 'acr', new.acr, 'mandate', new.mandate_id),
			(SELECT s.subject_id FROM sessions s WHERE s.id = new.actor_session_id), coalesce(new.tenant_id, mandate.tenant_id),
			new.client_id, new.id);
	ELSE
		PERFORM journal(CASE WHEN new.end_cause IN ('refresh token replayed', 'code replayed', 'code misused') THEN 'attack-stopped'
				WHEN new.mandate_id IS NOT NULL THEN 'acting-ended' ELSE 'logout' END, new.subject_id,
			jsonb_build_object('cause', new.end_cause, 'mandate', new.mandate_id), NULL, coalesce(new.tenant_id, mandate.tenant_id),
			new.client_id, new.id);
	END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER journal_begin AFTER INSERT ON sessions FOR EACH ROW EXECUTE FUNCTION journal_session();
CREATE TRIGGER journal_end AFTER UPDATE OF ended_at ON sessions FOR EACH ROW
	WHEN (old.ended_at IS NULL AND new.ended_at IS NOT NULL) EXECUTE FUNCTION journal_session();

CREATE FUNCTION journal_person() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
	IF (new.email, new.mobile_phone) IS DISTINCT FROM (old.email, old.mobile_phone) AND old.login_at IS NOT NULL THEN
		PERFORM journal('contacts-changed', new.id, jsonb_build_object('email', CASE WHEN new.email IS DISTINCT FROM old.email THEN true END,
			'mobilePhone', CASE WHEN new.mobile_phone IS DISTINCT FROM old.mobile_phone THEN true END,
			'byProvider', CASE WHEN NOT new.contacts_own THEN true END));
	END IF;
	IF old.blocked_at IS NULL AND new.blocked_at IS NOT NULL THEN
		PERFORM journal('blocked', new.id, jsonb_build_object('cause', new.block_cause));
	ELSIF old.blocked_at IS NOT NULL AND new.blocked_at IS NULL THEN
		PERFORM journal('unblocked', new.id);
	END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER journal_change AFTER UPDATE ON persons FOR EACH ROW EXECUTE FUNCTION journal_person();

CREATE FUNCTION journal_mandate() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
	IF old.starts_at IS NULL AND new.starts_at IS NOT NULL THEN
		PERFORM journal('mandate-given', new.person_id, jsonb_build_object('mandate', new.id, 'scopes', new.scopes, 'endsAt', to_utc(new.ends_at)),
			(SELECT p.taken_by FROM mandate_papers p WHERE p.tenant_id = new.tenant_id AND p.mandate_id = new.id), new.tenant_id);
	END IF;
	IF old.ended_at IS NULL AND new.ended_at IS NOT NULL AND new.starts_at IS NOT NULL THEN
		PERFORM journal('mandate-ended', new.person_id, jsonb_build_object('mandate', new.id, 'by', new.ended_by), NULL, new.tenant_id);
	END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER journal_change AFTER UPDATE ON mandates FOR EACH ROW EXECUTE FUNCTION journal_mandate();

CREATE FUNCTION journal_operator() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
	PERFORM journal('roles-changed', new.id, jsonb_build_object('from', CASE WHEN tg_op = 'UPDATE' THEN old.roles END, 'to', new.roles), NULL,
		new.tenant_id);
	RETURN NULL;
END $$;
CREATE TRIGGER journal_new AFTER INSERT ON operators FOR EACH ROW EXECUTE FUNCTION journal_operator();
CREATE TRIGGER journal_roles AFTER UPDATE OF roles ON operators FOR EACH ROW WHEN (old.roles IS DISTINCT FROM new.roles)
	EXECUTE FUNCTION journal_operator();

-- ---- what its person reads

CREATE FUNCTION name_of_client(client text) RETURNS text LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
	SELECT coalesce((SELECT c.name FROM clients c WHERE c.id = client), 'un servizio che non c''è più')
$$;

CREATE FUNCTION name_of_tenant(tenant text) RETURNS text LANGUAGE sql STABLE AS $$
	SELECT coalesce((SELECT t.name FROM tenants t WHERE t.tenant_id = tenant), tenant)
$$;

CREATE FUNCTION journal_text(event security_events) RETURNS text LANGUAGE sql STABLE AS $$
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
		ELSE event.kind END
$$;

-- ---- the chain

CREATE FUNCTION journal_link(event security_events, previous bytea) RETURNS bytea LANGUAGE sql STABLE AS $$
	SELECT sha256(previous || convert_to(jsonb_build_array(event.id, (extract(epoch FROM event.at) * 1000000)::bigint, event.kind,
		event.subject_id, event.actor_id, event.tenant_id, event.client_id, event.session_id, event.detail)::text, 'UTF8'))
$$;

-- Links what was written since the last time, at most a thousand lines. {"linked", "head"}: the number of the last one and its value in
-- hexadecimal, for a log outside of this database.
CREATE FUNCTION link_journal() RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
	event security_events;
	last_link bigint;
	last_chain bytea;
	linked int := 0;
BEGIN
	PERFORM pg_advisory_xact_lock(hashtext('security_events'));
	SELECT e.link, e.chain INTO last_link, last_chain FROM security_events e WHERE e.link IS NOT NULL ORDER BY e.link DESC LIMIT 1;
	FOR event IN SELECT * FROM security_events e WHERE e.link IS NULL ORDER BY e.id LIMIT 1000 LOOP
		last_link := coalesce(last_link, 0) + 1;
		UPDATE security_events e SET link = last_link, previous = coalesce(last_chain, ''), chain = journal_link(event, coalesce(last_chain, ''))
		WHERE e.id = event.id RETURNING e.chain INTO last_chain;
		linked := linked + 1;
	END LOOP;
	DELETE FROM security_events e WHERE e.at < now() - interval '24 months';
	RETURN json_build_object('linked', linked, 'link', last_link, 'head', encode(last_chain, 'hex'));
END $$;

-- The links that do not hold; none when the journal is whole. Its beginning is gone only when it is old enough.
CREATE FUNCTION verify_journal() RETURNS TABLE (link bigint, fault text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
	SELECT v.link, v.fault FROM (
		SELECT e.link, CASE
			WHEN e.chain <> journal_link(e, e.previous) THEN 'changed'
			WHEN lag(e.link) OVER w <> e.link - 1 THEN 'lines before it are missing'
			WHEN lag(e.chain) OVER w <> e.previous THEN 'out of order'
			WHEN lag(e.link) OVER w IS NULL AND e.link > 1 AND e.at > now() - interval '23 months' THEN 'lines before it are missing'
		END AS fault
		FROM security_events e WHERE e.link IS NOT NULL WINDOW w AS (ORDER BY e.link)) v
	WHERE v.fault IS NOT NULL ORDER BY v.link
$$;

DO $$
DECLARE
	service text := current_database();
	worker text := current_database() || '_worker';
BEGIN
	EXECUTE format('REVOKE EXECUTE ON FUNCTION keep_journal, journal, journal_session, journal_person, journal_mandate, journal_operator,
		journal_link, verify_journal FROM %I, %I', service, worker);
	EXECUTE format('REVOKE EXECUTE ON FUNCTION link_journal FROM %I', service);
	EXECUTE format('REVOKE EXECUTE ON FUNCTION name_of_client, journal_text FROM %I', worker);
END $$;
