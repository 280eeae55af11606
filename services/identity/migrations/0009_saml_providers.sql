-- A session that came by SPID or CIE names its provider, as the person's journal and her list of sessions show it; amr says the federation.
CREATE OR REPLACE FUNCTION end_saml_login(id text, browser text, attributes jsonb, level text, entity text, name_id text, session_index text,
	code text, sealed text)
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
	PERFORM open_session(login, 'citizen', take_person(attributes, taken.provider, level), NULL, client.scopes, taken.provider, level,
		ARRAY[federation], attributes, code);
	SELECT a.session_id INTO session FROM authorization_codes a WHERE a.hash = sha256(convert_to(end_saml_login.code, 'UTF8'));
	INSERT INTO saml_sessions (session_id, provider, entity, name_id, session_index)
	VALUES (session, taken.provider, end_saml_login.entity, end_saml_login.name_id, end_saml_login.session_index);
	PERFORM keep_saml_message(taken.id, 'received', 'accepted', sealed);
	RETURN json_build_object('login', login.id, 'redirectUri', login.redirect_uri, 'state', login.state);
END $$;
