-- Accounts of operators: a password under argon2id and a second factor, both always. An administrator invites; the operator herself chooses
-- the password and takes the secret of her authenticator, which is kept sealed. A new invitation replaces a lost password or phone.
--
-- Guessing is throttled by account and by address. An attempt counts before it is looked at, so that many at once gain nothing; accounts
-- that do not exist are throttled like those that do.

CREATE TABLE operator_accounts (
	tenant_id text NOT NULL,
	operator_id uuid NOT NULL,
	login text NOT NULL CONSTRAINT login_taken UNIQUE CHECK (login = lower(login)),
	password text NOT NULL CHECK (password LIKE '$argon2id$%'),
	totp text NOT NULL,                             -- sealed
	totp_step bigint NOT NULL DEFAULT 0,            -- of the last code that was taken: none is good twice
	recovery bytea[] NOT NULL,                      -- SHA-256 of codes of 80 random bits, each good once
	created_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant_id, operator_id),
	FOREIGN KEY (tenant_id, operator_id) REFERENCES operators ON DELETE CASCADE
);

CREATE TABLE operator_invitations (
	tenant_id text NOT NULL,
	operator_id uuid NOT NULL,
	hash bytea NOT NULL UNIQUE,                     -- SHA-256 of the token in the link
	token text,                                     -- sealed, until the letter has left
	totp text NOT NULL,                             -- sealed
	email text NOT NULL,
	expires_at timestamptz NOT NULL DEFAULT now() + interval '3 days',
	due_at timestamptz DEFAULT now(),
	sendings int NOT NULL DEFAULT 0,
	PRIMARY KEY (tenant_id, operator_id),
	FOREIGN KEY (tenant_id, operator_id) REFERENCES operators ON DELETE CASCADE
);
CREATE INDEX operator_invitations_due ON operator_invitations (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE login_throttle (
	key bytea PRIMARY KEY,                          -- SHA-256 of an account or of an address
	failures int NOT NULL,
	since timestamptz NOT NULL DEFAULT now(),
	locked_until timestamptz NOT NULL DEFAULT '-infinity'
);
CREATE INDEX login_throttle_since ON login_throttle (since);

DO $$
DECLARE
	guarded text;
	service text := current_database();
BEGIN
	FOREACH guarded IN ARRAY ARRAY['operator_accounts', 'operator_invitations', 'login_throttle'] LOOP
		EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', guarded);
		EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', guarded);
		EXECUTE format('CREATE POLICY owner ON %I TO %I USING (true) WITH CHECK (true)', guarded, current_user);
		EXECUTE format('REVOKE ALL ON %I FROM %I, %I', guarded, service, service || '_worker');
	END LOOP;
END $$;

CREATE OR REPLACE FUNCTION find_client(client text) RETURNS json LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
	SELECT json_build_object('id', c.id, 'kind', c.kind, 'redirectUris', c.redirect_uris, 'scopes', c.scopes, 'demo', t.demo,
		'pushesRequests', c.pushes_requests)
	FROM clients c JOIN tenants t USING (tenant_id) WHERE c.id = client AND c.suspended_at IS NULL
$$;

-- ---- invitation and activation

-- The invitation of an operator of the caller's tenant: {"email", "expiresAt"}; NULL when there is no such operator.
CREATE FUNCTION invite_operator(operator uuid, token text, sealed text, totp text) RETURNS json
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
	invited operators;
	made operator_invitations;
BEGIN
	SELECT * INTO invited FROM operators o WHERE o.tenant_id = app_tenant() AND o.id = operator FOR UPDATE;
	IF NOT FOUND THEN
		RETURN NULL;
	END IF;
	PERFORM refuse(409, 'no-email', 'This operator has no e-mail.') WHERE invited.email IS NULL;
	PERFORM refuse(409, 'login-taken', 'Another operator logs in with this e-mail.') FROM operator_accounts a
	WHERE a.login = lower(invited.email) AND (a.tenant_id, a.operator_id) <> (invited.tenant_id, invited.id);
	DELETE FROM operator_invitations i WHERE i.tenant_id = invited.tenant_id AND i.operator_id = invited.id;
	INSERT INTO operator_invitations (tenant_id, operator_id, hash, token, totp, email)
	VALUES (invited.tenant_id, invited.id, sha256(convert_to(invite_operator.token, 'UTF8')), sealed, invite_operator.totp, invited.email)
	RETURNING * INTO made;
	PERFORM journal('invited', invited.id, '{}', NULL, invited.tenant_id);
	NOTIFY tasks, 'invitations';
	RETURN json_build_object('email', made.email, 'expiresAt', to_utc(made.expires_at));
END $$;

CREATE FUNCTION claim_invitation() RETURNS json LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
	UPDATE operator_invitations i SET sendings = i.sendings + 1, due_at = now() + make_interval(secs => 60 * 2 ^ least(i.sendings, 7))
	WHERE i.hash = (SELECT w.hash FROM operator_invitations w WHERE w.due_at <= now() AND w.expires_at > now() ORDER BY w.due_at LIMIT 1
		FOR UPDATE SKIP LOCKED)
	RETURNING json_build_object('operator', i.operator_id, 'hash', encode(i.hash, 'hex'), 'email', i.email, 'token', i.token,
		'tenant', (SELECT t.name FROM tenants t WHERE t.tenant_id = i.tenant_id))
$$;

CREATE FUNCTION settle_invitation(hash text, done boolean) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
	UPDATE operator_invitations i SET due_at = NULL, token = NULL WHERE i.hash = decode(settle_invitation.hash, 'hex') AND done
$$;

CREATE FUNCTION show_invitation(token text) RETURNS json LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
	SELECT json_build_object('operator', i.operator_id, 'login', lower(i.email), 'totp', i.totp, 'tenant', t.name,
		'name', concat_ws(' ', o.given_name, o.family_name))
	FROM operator_invitations i JOIN operators o ON (o.tenant_id, o.id) = (i.tenant_id, i.operator_id) JOIN tenants t ON t.tenant_id = i.tenant_id
	WHERE i.hash = sha256(convert_to(show_invitation.token, 'UTF8')) AND i.expires_at > now()
$$;

-- Uses the invitation up. What was logged in with the old password is over. NULL: somebody else used it.
CREATE FUNCTION activate_operator(token text, password text, step bigint, recovery text[]) RETURNS json
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
	used operator_invitations;
BEGIN
	DELETE FROM operator_invitations i WHERE i.hash = sha256(convert_to(activate_operator.token, 'UTF8')) AND i.expires_at > now()
	RETURNING * INTO used;
	IF NOT FOUND THEN
		RETURN NULL;
	END IF;
	INSERT INTO operator_accounts AS a (tenant_id, operator_id, login, password, totp, totp_step, recovery)
	SELECT used.tenant_id, used.operator_id, lower(used.email), activate_operator.password, used.totp, step,
		ARRAY(SELECT sha256(convert_to(code, 'UTF8')) FROM unnest(activate_operator.recovery) AS code)
	ON CONFLICT (tenant_id, operator_id) DO UPDATE SET login = excluded.login, password = excluded.password, totp = excluded.totp,
		totp_step = excluded.totp_step, recovery = excluded.recovery, created_at = now();
	UPDATE sessions s SET ended_at = now(), end_cause = 'account renewed'
	WHERE s.subject_id = used.operator_id AND s.kind = 'operator' AND s.provider = 'local' AND s.ended_at IS NULL;
	DELETE FROM login_throttle t WHERE t.key = sha256(convert_to('account ' || lower(used.email), 'UTF8'));
	PERFORM journal('account-activated', used.operator_id, '{}', NULL, used.tenant_id);
	RETURN 'true';
END $$;

-- ---- login

-- Counts an attempt and says how long its key is locked by what came before it. Past `most` within a quarter of an hour each one more locks
-- for twice as long, an hour at most.
CREATE FUNCTION count_attempt(what text, most int) RETURNS timestamptz
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
	digest bytea := sha256(convert_to(what, 'UTF8'));
	held login_throttle;
BEGIN
	INSERT INTO login_throttle (key, failures) VALUES (digest, 0) ON CONFLICT (key) DO NOTHING;
	SELECT * INTO held FROM login_throttle t WHERE t.key = digest FOR UPDATE;
	IF held.locked_until > now() THEN
		RETURN held.locked_until;
	END IF;
	IF held.since < now() - interval '15 minutes' AND held.locked_until < now() - interval '1 hour' THEN
		held.failures := 0;
		held.since := now();
	END IF;
	UPDATE login_throttle t SET failures = held.failures + 1, since = held.since,
		locked_until = CASE WHEN held.failures + 1 >= most THEN now() + least(interval '1 hour', interval '30 seconds' * 2 ^ least(held.failures + 1 - most, 10))
			ELSE '-infinity' END
	WHERE t.key = digest;
	RETURN NULL;
END $$;

-- What an attempt is checked against. NULL: this browser began no login of operators here. {"retryAfter"}: too many. Else {"account"}, NULL
-- when there is none by that name, which the caller must not let show.
CREATE FUNCTION begin_attempt(request text, browser text, login text, address text) RETURNS json
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
	account operator_accounts;
	locked timestamptz;
BEGIN
	PERFORM FROM login_requests r JOIN clients c ON c.id = r.client_id
	WHERE r.id = request AND r.browser = sha256(convert_to(begin_attempt.browser, 'UTF8')) AND r.expires_at > now() AND c.kind = 'operators';
	IF NOT FOUND THEN
		RETURN NULL;
	END IF;
	SELECT * INTO account FROM operator_accounts a WHERE a.login = lower(begin_attempt.login);
	locked := greatest(count_attempt('address ' || address, 30), count_attempt('account ' || lower(begin_attempt.login), 5));
	IF locked IS NOT NULL THEN
		RETURN json_build_object('retryAfter', ceil(extract(epoch FROM locked - now()))::int);
	END IF;
	IF account.operator_id IS NOT NULL AND EXISTS (SELECT FROM login_throttle t
		WHERE t.key = sha256(convert_to('account ' || account.login, 'UTF8')) AND t.locked_until > now())
	THEN
		PERFORM journal('login-throttled', account.operator_id, '{}', NULL, account.tenant_id);
	END IF;
	RETURN json_build_object('account', CASE WHEN account.operator_id IS NOT NULL THEN json_build_object('operator', account.operator_id,
		'password', account.password, 'totp', account.totp) END);
END $$;

-- Ends the login of an operator whose password and code were right. The step of the code, or the recovery code, must not have been used:
-- of two at once one wins. outcome is 'code' or 'refused'; NULL: no such login (any more).
CREATE FUNCTION end_operator_login(request text, browser text, operator uuid, step bigint, recovery text, address text, code text) RETURNS json
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
	login login_requests;
	client clients;
	account operator_accounts;
	worker operators;
BEGIN
	SELECT * INTO login FROM login_requests r
	WHERE r.id = request AND r.browser = sha256(convert_to(end_operator_login.browser, 'UTF8')) AND r.expires_at > now() FOR UPDATE;
	IF NOT FOUND THEN
		RETURN NULL;
	END IF;
	SELECT * INTO client FROM clients c WHERE c.id = login.client_id AND c.kind = 'operators' AND c.suspended_at IS NULL;
	SELECT o.* INTO worker FROM operators o WHERE o.id = operator AND o.roles <> '{}' AND (client.area_wide OR o.tenant_id = client.tenant_id);
	UPDATE operator_accounts a SET totp_step = coalesce(step, a.totp_step),
		recovery = array_remove(a.recovery, sha256(convert_to(end_operator_login.recovery, 'UTF8')))
	WHERE a.tenant_id = worker.tenant_id AND a.operator_id = worker.id
		AND (step > a.totp_step OR (step IS NULL AND sha256(convert_to(end_operator_login.recovery, 'UTF8')) = ANY (a.recovery)))
	RETURNING * INTO account;
	IF NOT FOUND THEN
		RETURN json_build_object('outcome', 'refused');
	END IF;
	DELETE FROM login_throttle t WHERE t.key = sha256(convert_to('account ' || account.login, 'UTF8'));
	UPDATE login_throttle t SET failures = greatest(t.failures - 1, 0) WHERE t.key = sha256(convert_to('address ' || address, 'UTF8'));
	IF step IS NULL THEN
		PERFORM journal('recovery-code-used', worker.id, jsonb_build_object('left', cardinality(account.recovery)), NULL, worker.tenant_id);
	END IF;
	PERFORM open_session(login, 'operator', worker.id, worker.tenant_id, client.scopes, 'local', 'https://www.spid.gov.it/SpidL2', '{pwd,otp,mfa}',
		jsonb_build_object('name', worker.given_name, 'familyName', worker.family_name, 'fiscalNumber', 'TINIT-' || worker.fiscal_code), code);
	RETURN json_build_object('outcome', 'code', 'redirectUri', login.redirect_uri, 'state', login.state);
END $$;

-- The login that this browser began at a client of operators: {"client", "redirectUri"}.
CREATE FUNCTION show_operator_login(request text, browser text) RETURNS json
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
	SELECT json_build_object('client', c.name, 'redirectUri', r.redirect_uri)
	FROM login_requests r JOIN clients c ON c.id = r.client_id
	WHERE r.id = request AND r.browser = sha256(convert_to(show_operator_login.browser, 'UTF8')) AND r.expires_at > now() AND c.kind = 'operators'
$$;

CREATE FUNCTION sweep_operator_logins() RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
	DELETE FROM login_throttle t WHERE t.since < now() - interval '1 day' AND t.locked_until < now() - interval '1 hour';
	DELETE FROM operator_invitations i WHERE i.expires_at < now() - interval '1 day';
	RETURN '{}';
END $$;

-- ---- what administrators see

CREATE FUNCTION account_of(operator operators) RETURNS json LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
	SELECT json_strip_nulls(json_build_object('state', CASE WHEN a.operator_id IS NOT NULL THEN 'active' WHEN i.operator_id IS NOT NULL THEN 'invited'
		ELSE 'none' END, 'lockedUntil', CASE WHEN t.locked_until > now() THEN to_utc(t.locked_until) END))
	FROM (VALUES (1)) AS one
	LEFT JOIN operator_accounts a ON a.tenant_id = operator.tenant_id AND a.operator_id = operator.id
	LEFT JOIN operator_invitations i ON i.tenant_id = operator.tenant_id AND i.operator_id = operator.id AND i.expires_at > now()
	LEFT JOIN login_throttle t ON t.key = sha256(convert_to('account ' || a.login, 'UTF8'))
	WHERE operator.tenant_id = app_tenant()
$$;

CREATE OR REPLACE FUNCTION operator_json(operator operators) RETURNS json LANGUAGE sql STABLE AS $$
	SELECT json_strip_nulls(json_build_object('id', operator.id, 'givenName', operator.given_name, 'familyName', operator.family_name,
		'fiscalCode', operator.fiscal_code, 'email', operator.email, 'roles', operator.roles, 'offices', operator.offices,
		'account', account_of(operator), 'createdAt', to_utc(operator.created_at)))
$$;

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
	EXECUTE format('REVOKE EXECUTE ON FUNCTION count_attempt FROM %I, %I', service, worker);
	EXECUTE format('REVOKE EXECUTE ON FUNCTION invite_operator, show_invitation, activate_operator, begin_attempt, end_operator_login,
		show_operator_login, account_of FROM %I', worker);
	EXECUTE format('REVOKE EXECUTE ON FUNCTION claim_invitation, settle_invitation, sweep_operator_logins FROM %I', service);
END $$;
