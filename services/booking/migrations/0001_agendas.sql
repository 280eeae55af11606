-- Offices, agendas and their slots. Public: anyone may see where and when citizens are received.

CREATE TABLE offices (
	tenant_id text NOT NULL,
	id uuid NOT NULL DEFAULT uuid7(),
	code text NOT NULL,
	name text NOT NULL,
	address text,
	phone text,
	PRIMARY KEY (tenant_id, id),
	UNIQUE (tenant_id, code)
);

CREATE TABLE agendas (
	tenant_id text NOT NULL,
	id uuid NOT NULL DEFAULT uuid7(),
	office_id uuid NOT NULL,
	title text NOT NULL,
	services text[] NOT NULL DEFAULT '{}',
	slot_minutes int NOT NULL CHECK (slot_minutes BETWEEN 5 AND 240),
	places int NOT NULL CHECK (places BETWEEN 1 AND 50),
	bookable_days int NOT NULL DEFAULT 60 CHECK (bookable_days BETWEEN 1 AND 366),
	PRIMARY KEY (tenant_id, id),
	FOREIGN KEY (tenant_id, office_id) REFERENCES offices (tenant_id, id)
);

CREATE INDEX agendas_id ON agendas (id);

-- Local time, Europe/Rome. weekday as ISO 8601: 1 is Monday.
CREATE TABLE opening_hours (
	tenant_id text NOT NULL,
	agenda_id uuid NOT NULL,
	weekday int NOT NULL CHECK (weekday BETWEEN 1 AND 7),
	opens time NOT NULL,
	closes time NOT NULL CHECK (closes > opens),
	PRIMARY KEY (tenant_id, agenda_id, weekday, opens),
	FOREIGN KEY (tenant_id, agenda_id) REFERENCES agendas (tenant_id, id)
);

CREATE TABLE closed_days (
	tenant_id text NOT NULL,
	office_id uuid NOT NULL,
	day date NOT NULL,
	reason text NOT NULL,
	PRIMARY KEY (tenant_id, office_id, day),
	FOREIGN KEY (tenant_id, office_id) REFERENCES offices (tenant_id, id)
);

-- Slots are told apart by when they begin, so their length never changes: another length is another agenda.
CREATE FUNCTION keep_slot_length() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.slot_minutes <> OLD.slot_minutes THEN
		RAISE EXCEPTION 'the slots of an agenda never change their length: make a new agenda';
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER keep_slot_length BEFORE UPDATE ON agendas FOR EACH ROW EXECUTE FUNCTION keep_slot_length();

-- When the slots of the days from first to last begin. Hours are local, so they stay the same on the clock across summer time.
CREATE FUNCTION agenda_slots(agenda agendas, first date, last date) RETURNS SETOF timestamptz LANGUAGE sql STABLE AS $$
	SELECT slot AT TIME ZONE 'Europe/Rome'
	FROM generate_series(first::timestamp, last::timestamp, interval '1 day') AS local_day
	JOIN opening_hours h ON h.tenant_id = agenda.tenant_id AND h.agenda_id = agenda.id AND h.weekday = extract(isodow FROM local_day)
	CROSS JOIN LATERAL generate_series(local_day + h.opens, local_day + h.closes - make_interval(mins => agenda.slot_minutes),
		make_interval(mins => agenda.slot_minutes)) AS slot
	WHERE NOT EXISTS (SELECT FROM closed_days c WHERE c.tenant_id = agenda.tenant_id AND c.office_id = agenda.office_id
		AND c.day = local_day::date)
	ORDER BY 1
$$;

CREATE FUNCTION office_json(o offices) RETURNS json LANGUAGE sql STABLE AS $$
	SELECT json_strip_nulls(json_build_object('id', o.id, 'tenant', o.tenant_id, 'code', o.code, 'name', o.name,
		'address', o.address, 'phone', o.phone))
$$;

CREATE FUNCTION agenda_json(a agendas) RETURNS json LANGUAGE sql STABLE AS $$
	SELECT json_build_object('id', a.id, 'tenant', a.tenant_id, 'officeId', a.office_id, 'title', a.title,
		'services', to_json(a.services), 'slotMinutes', a.slot_minutes, 'places', a.places, 'bookableDays', a.bookable_days,
		'hours', (SELECT coalesce(json_agg(json_build_object('weekday', h.weekday, 'opens', to_char(h.opens, 'HH24:MI'),
			'closes', to_char(h.closes, 'HH24:MI')) ORDER BY h.weekday, h.opens), '[]')
			FROM opening_hours h WHERE h.tenant_id = a.tenant_id AND h.agenda_id = a.id))
$$;

DO $$
DECLARE
	name text;
BEGIN
	FOREACH name IN ARRAY ARRAY['offices', 'agendas', 'opening_hours', 'closed_days'] LOOP
		EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
		EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
		EXECUTE format('CREATE POLICY public ON %I FOR SELECT USING (true)', name);
	END LOOP;
END $$;
