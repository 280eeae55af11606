-- The tenants of the area, the persons (one for the whole area) and the operators of each tenant.
--
-- Persons belong to no tenant: their tables go by app_subject() alone, and nobody but the person reads them through row security. What must
-- work before a subject is known (a login) or for a person who is not the caller (a sibling service) goes through functions that run as
-- the owner and do one thing each; the owner's policy below is for them.

CREATE TABLE tenants (
	tenant_id text PRIMARY KEY CHECK (tenant_id ~ '^[a-z0-9_]{3,20}$'),
	name text NOT NULL,
	aoo text NOT NULL,
	fiscal_code text,
	certified_email text,
	email text,
	phone text,
	website text,
	demo boolean NOT NULL DEFAULT false             -- accepts the demo login
);

CREATE TABLE persons (
	id uuid PRIMARY KEY DEFAULT uuid7(),
	fiscal_code text NOT NULL UNIQUE CHECK (fiscal_code ~ '^([A-Z]{6}[0-9LMNPQRSTUV]{2}[A-EHLMPRST][0-9LMNPQRSTUV]{2}[A-Z][0-9LMNPQRSTUV]{3}[A-Z]|[0-9]{11})$'),
	given_name text NOT NULL,
	family_name text NOT NULL,
	birth_date date,
	birth_place text,
	gender text CHECK (gender IN ('F', 'M')),
	address text,
	postal_code text,
	municipality text,
	province text,
	email text,
	mobile_phone text,
	contacts_own boolean NOT NULL DEFAULT false,    -- set by the person: a login leaves them alone
	language text NOT NULL DEFAULT 'it',
	quiet_from text,
	quiet_to text,
	channels text[] NOT NULL DEFAULT '{app-io,email}',
	login_at timestamptz,
	login_provider text,
	login_acr text,
	version int NOT NULL DEFAULT 1,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now()
);

-- Who is whose minor child: what ANPR knows of a family. Coming of age ends what it allows.
CREATE TABLE children (
	parent_id uuid NOT NULL REFERENCES persons ON DELETE CASCADE,
	child_id uuid NOT NULL REFERENCES persons ON DELETE CASCADE,
	PRIMARY KEY (parent_id, child_id),
	CHECK (parent_id <> child_id)
);
CREATE INDEX children_child ON children (child_id);

-- Other channels than the general ones, for a tenant, a topic or both; NULL is any.
CREATE TABLE preference_exceptions (
	person_id uuid NOT NULL REFERENCES persons ON DELETE CASCADE,
	position int NOT NULL,
	tenant_id text REFERENCES tenants,
	topic text,
	channels text[] NOT NULL,
	PRIMARY KEY (person_id, position),
	CONSTRAINT repeated_exception UNIQUE NULLS NOT DISTINCT (person_id, tenant_id, topic)
);

CREATE TABLE operators (
	tenant_id text NOT NULL REFERENCES tenants,
	id uuid NOT NULL DEFAULT uuid7(),
	fiscal_code text NOT NULL,
	given_name text NOT NULL,
	family_name text NOT NULL,
	email text,
	roles text[] NOT NULL CHECK (roles <@ '{operator,admin}'),
	offices text[] NOT NULL DEFAULT '{}',
	created_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant_id, id),
	CONSTRAINT operator_exists UNIQUE (tenant_id, fiscal_code)
);
CREATE INDEX operators_id ON operators (id);            -- a session knows the operator before any tenant is set

-- The people that the demo provider can vouch for: id is the fiscal code, attributes are those of SPID, by SPID's names.
CREATE TABLE demo_identities (
	tenant_id text NOT NULL REFERENCES tenants,
	id text NOT NULL,
	note text,
	attributes jsonb NOT NULL,
	PRIMARY KEY (tenant_id, id)
);

DO $$
DECLARE
	guarded text;
	service text := current_database();
BEGIN
	FOREACH guarded IN ARRAY ARRAY['tenants', 'persons', 'children', 'preference_exceptions', 'operators', 'demo_identities'] LOOP
		EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', guarded);
		EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', guarded);
		EXECUTE format('CREATE POLICY owner ON %I TO %I USING (true) WITH CHECK (true)', guarded, current_user);
		EXECUTE format('REVOKE ALL ON %I FROM %I, %I', guarded, service, service || '_worker');
	END LOOP;
	EXECUTE format('GRANT SELECT ON tenants, children TO %I', service);
	EXECUTE format('GRANT SELECT, UPDATE (email, mobile_phone, contacts_own, language, quiet_from, quiet_to, channels, version,
		updated_at) ON persons TO %I', service);
	EXECUTE format('GRANT SELECT, INSERT, DELETE ON preference_exceptions TO %I', service);
	EXECUTE format('GRANT SELECT, INSERT, UPDATE (roles) ON operators TO %I', service);

	-- Public facts.
	EXECUTE format('CREATE POLICY everyone ON tenants FOR SELECT TO %I USING (true)', service);
	EXECUTE format('CREATE POLICY own ON children FOR SELECT TO %I USING (parent_id = app_subject())', service);
	EXECUTE format('CREATE POLICY own ON persons TO %I USING (id = app_subject()) WITH CHECK (id = app_subject())', service);
	EXECUTE format('CREATE POLICY minor_children ON persons FOR SELECT TO %I USING (birth_date > current_date - interval ''18 years''
		AND EXISTS (SELECT FROM children c WHERE c.parent_id = app_subject() AND c.child_id = persons.id))', service);
	EXECUTE format('CREATE POLICY own ON preference_exceptions TO %I USING (person_id = app_subject())
		WITH CHECK (person_id = app_subject())', service);
	EXECUTE format('CREATE POLICY own_tenant ON operators TO %I USING (tenant_id = app_tenant()) WITH CHECK (tenant_id = app_tenant())',
		service);
END $$;

CREATE FUNCTION person_json(person persons) RETURNS json LANGUAGE sql STABLE AS $$
	SELECT json_strip_nulls(json_build_object(
		'id', person.id, 'fiscalCode', person.fiscal_code, 'givenName', person.given_name, 'familyName', person.family_name,
		'birthDate', person.birth_date, 'birthPlace', person.birth_place, 'gender', person.gender,
		'residence', json_build_object('address', person.address, 'postalCode', person.postal_code,
			'municipality', person.municipality, 'province', person.province),
		'contacts', json_build_object('email', person.email, 'mobilePhone', person.mobile_phone),
		'children', coalesce((
			SELECT json_agg(json_build_object('id', p.id, 'fiscalCode', p.fiscal_code, 'givenName', p.given_name,
				'familyName', p.family_name, 'birthDate', p.birth_date) ORDER BY p.birth_date, p.id)
			FROM children c JOIN persons p ON p.id = c.child_id
			WHERE c.parent_id = person.id AND p.birth_date > current_date - interval '18 years'), '[]'),
		'lastLogin', CASE WHEN person.login_at IS NOT NULL THEN json_build_object('at', to_utc(person.login_at),
			'provider', person.login_provider, 'acr', person.login_acr) END))
$$;

CREATE FUNCTION preferences_json(person persons) RETURNS json LANGUAGE sql STABLE AS $$
	SELECT json_strip_nulls(json_build_object(
		'language', person.language,
		'quiet', CASE WHEN person.quiet_from IS NOT NULL THEN json_build_object('from', person.quiet_from, 'to', person.quiet_to) END,
		'channels', person.channels,
		'exceptions', coalesce((SELECT json_agg(json_build_object('tenant', e.tenant_id, 'topic', e.topic, 'channels', e.channels)
			ORDER BY e.position) FROM preference_exceptions e WHERE e.person_id = person.id), '[]')))
$$;

-- The person's channels for a tenant and a topic: the most particular exception, else the general ones.
CREATE FUNCTION delivery_json(person persons, tenant text, topic text) RETURNS json LANGUAGE sql STABLE AS $$
	SELECT json_strip_nulls(json_build_object(
		'language', person.language,
		'quiet', CASE WHEN person.quiet_from IS NOT NULL THEN json_build_object('from', person.quiet_from, 'to', person.quiet_to) END,
		'channels', coalesce((
			SELECT e.channels FROM preference_exceptions e
			WHERE e.person_id = person.id AND (e.tenant_id IS NULL OR e.tenant_id = delivery_json.tenant)
				AND (e.topic IS NULL OR e.topic = delivery_json.topic)
			ORDER BY e.tenant_id IS NULL, e.topic IS NULL LIMIT 1), person.channels)))
$$;

-- One person for a sibling service, which acts in a tenant and has no subject. Only the operation that asks for the scope
-- `service` calls it.
CREATE FUNCTION person_for_service(person uuid, topic text) RETURNS json
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
	SELECT (person_json(p)::jsonb || jsonb_build_object('delivery', delivery_json(p, app_tenant(), person_for_service.topic)))::json
	FROM persons p WHERE p.id = person
$$;

-- Refuses when an If-Match was given and the person has changed since.
CREATE FUNCTION require_version(version int, if_match text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	RETURN if_match IS NULL OR if_match = '*' OR if_match = format('"%s"', version)
		OR refuse(412, 'version-conflict', format('The current version is "%s".', version));
END $$;

CREATE FUNCTION replace_preferences(wanted jsonb, if_match text) RETURNS TABLE (preferences json, version int) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
	person persons;
BEGIN
	SELECT * INTO person FROM persons WHERE id = app_subject() FOR UPDATE;
	IF NOT FOUND THEN
		RETURN;
	END IF;
	PERFORM require_version(person.version, if_match);
	DELETE FROM preference_exceptions WHERE person_id = app_subject();
	INSERT INTO preference_exceptions (person_id, position, tenant_id, topic, channels)
	SELECT app_subject(), e.place, e.item ->> 'tenant', e.item ->> 'topic', ARRAY(SELECT jsonb_array_elements_text(e.item -> 'channels'))
	FROM jsonb_array_elements(coalesce(wanted -> 'exceptions', '[]')) WITH ORDINALITY AS e (item, place);
	UPDATE persons SET language = wanted ->> 'language', quiet_from = wanted #>> '{quiet,from}', quiet_to = wanted #>> '{quiet,to}',
		channels = ARRAY(SELECT jsonb_array_elements_text(wanted -> 'channels')), version = version + 1, updated_at = now()
	WHERE id = app_subject() RETURNING * INTO person;
	PERFORM emit_event(NULL, 'person.updated', person.id, person.id, '{"changed": ["preferences"]}');
	RETURN QUERY SELECT preferences_json(person), person.version;
END $$;

-- A tenant without administrator could never have one again: the rows of its administrators are locked, so that two who leave
-- at the same moment do not both see the other stay.
CREATE FUNCTION remove_operator_role(operator uuid, role text) RETURNS json LANGUAGE plpgsql AS $$
BEGIN
	PERFORM FROM operators o WHERE o.tenant_id = app_tenant() AND 'admin' = ANY (o.roles) ORDER BY o.id FOR UPDATE;
	PERFORM refuse(409, 'last-administrator', 'A tenant keeps at least one administrator.')
	WHERE remove_operator_role.role = 'admin'
		AND EXISTS (SELECT FROM operators o WHERE o.tenant_id = app_tenant() AND o.id = operator AND 'admin' = ANY (o.roles))
		AND NOT EXISTS (SELECT FROM operators o WHERE o.tenant_id = app_tenant() AND o.id <> operator AND 'admin' = ANY (o.roles));
	UPDATE operators o SET roles = array_remove(o.roles, remove_operator_role.role)
	WHERE o.tenant_id = app_tenant() AND o.id = operator AND remove_operator_role.role = ANY (o.roles);
	RETURN CASE WHEN FOUND THEN 'true'::json END;
END $$;

CREATE FUNCTION tenant_json(tenant tenants) RETURNS json LANGUAGE sql STABLE AS $$
	SELECT json_strip_nulls(json_build_object('id', tenant.tenant_id, 'name', tenant.name, 'aoo', tenant.aoo,
		'fiscalCode', tenant.fiscal_code, 'demo', tenant.demo, 'contacts', json_build_object('certifiedEmail', tenant.certified_email,
			'email', tenant.email, 'phone', tenant.phone, 'website', tenant.website)))
$$;

CREATE FUNCTION operator_json(operator operators) RETURNS json LANGUAGE sql STABLE AS $$
	SELECT json_strip_nulls(json_build_object('id', operator.id, 'givenName', operator.given_name, 'familyName', operator.family_name,
		'fiscalCode', operator.fiscal_code, 'email', operator.email, 'roles', operator.roles, 'offices', operator.offices,
		'createdAt', to_utc(operator.created_at)))
$$;
