-- The register of documents. The database keeps the law: numbers without gaps come from one locked row a register and year, a
-- registration is never changed but for its annulment, and never deleted (D.P.R. 445/2000, art. 53 and 54).

CREATE TABLE aoos (
	tenant_id text NOT NULL,
	code text NOT NULL,
	name text NOT NULL,
	register_code text NOT NULL DEFAULT 'REG',
	PRIMARY KEY (tenant_id, code)
);

-- The last number of each register and year: next_number() gives the next one.
CREATE TABLE registers (
	tenant_id text NOT NULL,
	aoo text NOT NULL,
	register_code text NOT NULL,
	year int NOT NULL,
	last_number int NOT NULL,
	PRIMARY KEY (tenant_id, aoo, register_code, year),
	FOREIGN KEY (tenant_id, aoo) REFERENCES aoos (tenant_id, code)
);

CREATE TABLE registrations (
	tenant_id text NOT NULL,
	id uuid NOT NULL DEFAULT uuid7(),
	aoo text NOT NULL,
	register_code text NOT NULL,
	year int NOT NULL,
	number int NOT NULL CHECK (number > 0),
	registered_at timestamptz NOT NULL,
	direction text NOT NULL CHECK (direction IN ('in', 'out')),
	object text NOT NULL,
	sender jsonb,
	recipients jsonb NOT NULL DEFAULT '[]',
	classification text,
	documents jsonb NOT NULL,
	reference_kind text,
	reference_id uuid,
	reference_purpose text,
	subject_id uuid,                                -- the person it concerns, for whoever is told of it
	created_by text NOT NULL,
	annulled_at timestamptz,
	annulled_by text,
	annulment_reason text,
	annulment_act text,
	PRIMARY KEY (tenant_id, id),
	CONSTRAINT year_of_registration CHECK (year = extract(year FROM registered_at AT TIME ZONE 'Europe/Rome')),
	CONSTRAINT number_taken UNIQUE (tenant_id, aoo, register_code, year, number),
	FOREIGN KEY (tenant_id, aoo, register_code, year) REFERENCES registers (tenant_id, aoo, register_code, year)
);
CREATE INDEX registrations_id ON registrations (id);
CREATE INDEX registrations_newest ON registrations (tenant_id, id DESC);
CREATE INDEX registrations_reference ON registrations (tenant_id, reference_id) WHERE reference_id IS NOT NULL;
CREATE INDEX registrations_words ON registrations USING gin (to_tsvector('italian', object));
-- One registration a reference and purpose: an event that is delivered twice registers once.
CREATE UNIQUE INDEX already_registered ON registrations (tenant_id, reference_kind, reference_id, reference_purpose)
	WHERE reference_purpose IN ('submission', 'decision') AND annulled_at IS NULL;

CREATE FUNCTION keep_registration() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_OP = 'DELETE' THEN
		RAISE EXCEPTION 'a registration is never deleted: annul it';
	END IF;
	IF OLD.annulled_at IS NOT NULL THEN
		PERFORM refuse(409, 'already-annulled', 'The registration is void already.');
	END IF;
	IF (to_jsonb(OLD) - '{annulled_at,annulled_by,annulment_reason,annulment_act}'::text[])
		<> (to_jsonb(NEW) - '{annulled_at,annulled_by,annulment_reason,annulment_act}'::text[]) THEN
		RAISE EXCEPTION 'a registration is never changed';
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER keep_registration BEFORE UPDATE OR DELETE ON registrations FOR EACH ROW EXECUTE FUNCTION keep_registration();

-- The register that a new registration goes to: the named one, or the only one. Refuses 422 unknown-aoo.
CREATE FUNCTION aoo_for(named text) RETURNS aoos LANGUAGE plpgsql STABLE AS $$
DECLARE
	found aoos;
	matching int;
BEGIN
	SELECT count(*) INTO matching FROM aoos a WHERE a.tenant_id = app_tenant() AND (named IS NULL OR a.code = named);
	IF matching <> 1 THEN
		PERFORM refuse(422, 'unknown-aoo', CASE matching WHEN 0 THEN 'The tenant has no such organisational area.'
			ELSE 'The tenant has several organisational areas: name one.' END);
	END IF;
	SELECT a.* INTO found FROM aoos a WHERE a.tenant_id = app_tenant() AND (named IS NULL OR a.code = named);
	RETURN found;
END $$;

-- The next number of the area's register, and the moment it is given. The area is locked until the registration is committed, so a number
-- that was rolled back is given again and none is ever missing; who has waited for the lock across New Year is of the new year.
CREATE FUNCTION next_number(area aoos, OUT number int, OUT year int, OUT given_at timestamptz) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM FROM aoos a WHERE a.tenant_id = area.tenant_id AND a.code = area.code FOR NO KEY UPDATE;
	given_at := clock_timestamp();
	INSERT INTO registers AS r
	VALUES (area.tenant_id, area.code, area.register_code, extract(year FROM given_at AT TIME ZONE 'Europe/Rome'), 1)
	ON CONFLICT ON CONSTRAINT registers_pkey DO UPDATE SET last_number = r.last_number + 1
	RETURNING r.last_number, r.year INTO number, year;
END $$;

CREATE FUNCTION registration_json(r registrations) RETURNS json LANGUAGE sql STABLE AS $$
	SELECT json_strip_nulls(json_build_object(
		'id', r.id, 'tenant', r.tenant_id, 'aoo', r.aoo, 'register', r.register_code, 'year', r.year, 'number', r.number,
		'protocol', format('%s/%s/%s', r.aoo, r.year, lpad(r.number::text, 7, '0')),
		'registeredAt', to_utc(r.registered_at), 'direction', r.direction, 'object', r.object, 'sender', r.sender,
		'recipients', r.recipients, 'classification', r.classification, 'documents', r.documents,
		'reference', CASE WHEN r.reference_id IS NOT NULL THEN
			json_build_object('kind', r.reference_kind, 'id', r.reference_id, 'purpose', r.reference_purpose) END,
		'annulled', r.annulled_at IS NOT NULL,
		'annulment', CASE WHEN r.annulled_at IS NOT NULL THEN json_build_object('reason', r.annulment_reason, 'act', r.annulment_act,
			'at', to_utc(r.annulled_at), 'by', r.annulled_by) END))
$$;

ALTER TABLE aoos ENABLE ROW LEVEL SECURITY;
ALTER TABLE aoos FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON aoos USING (tenant_id = app_tenant());
ALTER TABLE registers ENABLE ROW LEVEL SECURITY;
ALTER TABLE registers FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON registers USING (tenant_id = app_tenant());
ALTER TABLE registrations ENABLE ROW LEVEL SECURITY;
ALTER TABLE registrations FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON registrations USING (tenant_id = app_tenant());

REVOKE DELETE ON registrations, registers, aoos FROM portico_protocol;
REVOKE UPDATE ON registrations FROM portico_protocol;
GRANT UPDATE (annulled_at, annulled_by, annulment_reason, annulment_act) ON registrations TO portico_protocol;
