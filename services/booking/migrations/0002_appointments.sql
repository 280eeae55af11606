-- Appointments, and the places they take. No place is given twice: a place of a slot is one primary key.

CREATE TABLE appointments (
	tenant_id text NOT NULL,
	id uuid NOT NULL DEFAULT uuid7(),
	agenda_id uuid NOT NULL,
	subject_id uuid NOT NULL,
	starts_at timestamptz NOT NULL,
	ends_at timestamptz NOT NULL CHECK (ends_at > starts_at),
	state text NOT NULL DEFAULT 'held' CHECK (state IN ('held', 'confirmed', 'cancelled', 'expired')),
	held_until timestamptz,
	version int NOT NULL DEFAULT 1,
	reference_kind text,
	reference_id uuid,
	notes text,
	created_by text NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant_id, id),
	FOREIGN KEY (tenant_id, agenda_id) REFERENCES agendas (tenant_id, id)
);
CREATE INDEX appointments_id ON appointments (id);
CREATE INDEX appointments_subject ON appointments (subject_id, starts_at, id);
CREATE INDEX appointments_tenant ON appointments (tenant_id, starts_at, id);
CREATE INDEX appointments_held ON appointments (held_until) WHERE state = 'held';

-- Who has which place of which slot. It says nothing of anyone, so all may count it; only the functions below change it. A row whose
-- held_until has passed is free: whoever comes first takes it over.
CREATE TABLE taken_places (
	tenant_id text NOT NULL,
	agenda_id uuid NOT NULL,
	starts_at timestamptz NOT NULL,
	place int NOT NULL CHECK (place > 0),
	appointment_id uuid NOT NULL,
	held_until timestamptz NOT NULL,                -- 'infinity' once confirmed
	CONSTRAINT slot_taken PRIMARY KEY (tenant_id, agenda_id, starts_at, place)
);
CREATE INDEX taken_places_appointment ON taken_places (appointment_id);

ALTER TABLE appointments ENABLE ROW LEVEL SECURITY;
ALTER TABLE appointments FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON appointments TO portico_booking USING (tenant_id = app_tenant() OR subject_id = app_subject());
CREATE POLICY sweep ON appointments TO portico_booking_worker USING (true);
CREATE POLICY keeper ON appointments FOR SELECT TO portico_booking_owner USING (true);
ALTER TABLE taken_places ENABLE ROW LEVEL SECURITY;
ALTER TABLE taken_places FORCE ROW LEVEL SECURITY;
CREATE POLICY countable ON taken_places FOR SELECT USING (true);
CREATE POLICY keeper ON taken_places TO portico_booking_owner USING (true) WITH CHECK (true);
REVOKE INSERT, UPDATE, DELETE ON taken_places FROM portico_booking, portico_booking_worker;
REVOKE DELETE ON appointments FROM portico_booking;

-- Takes a place of the slot for the appointment, or refuses: 422 slot-unavailable, 409 slot-taken. One who is also after a place
-- waits here until the other's transaction ends, and then finds it taken or free: nobody is sent away while a place is left.
CREATE FUNCTION take_place(agenda_id uuid, starts_at timestamptz, appointment_id uuid, held_until timestamptz) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_variable
DECLARE
	agenda agendas;
	local_day date := (starts_at AT TIME ZONE 'Europe/Rome')::date;
	taken int;
BEGIN
	SELECT * INTO agenda FROM agendas a WHERE a.id = agenda_id;
	IF NOT FOUND OR starts_at <= now() OR local_day > (now() AT TIME ZONE 'Europe/Rome')::date + agenda.bookable_days
		OR NOT EXISTS (SELECT FROM agenda_slots(agenda, local_day, local_day) AS slot WHERE slot = starts_at) THEN
		PERFORM refuse(422, 'slot-unavailable', 'The agenda has no slot that begins then.');
	END IF;
	FOR number IN 1 .. agenda.places LOOP
		INSERT INTO taken_places AS t VALUES (agenda.tenant_id, agenda_id, starts_at, number, appointment_id, held_until)
		ON CONFLICT ON CONSTRAINT slot_taken DO UPDATE
		SET appointment_id = excluded.appointment_id, held_until = excluded.held_until WHERE t.held_until <= now()
		RETURNING place INTO taken;
		IF taken IS NOT NULL THEN
			RETURN taken;
		END IF;
	END LOOP;
	PERFORM refuse(409, 'slot-taken', 'No place is left then.');
END $$;

-- The held place is the person's for good; false when the hold ended meanwhile.
CREATE FUNCTION keep_place(appointment uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
	UPDATE taken_places SET held_until = 'infinity' WHERE appointment_id = appointment AND held_until > now();
	RETURN FOUND;
END $$;

CREATE FUNCTION free_place(appointment uuid) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
	DELETE FROM taken_places WHERE appointment_id = appointment
$$;

-- One person holds at most five places of her own, and each municipality five for her, so that no desk uses up hers or another's. The lock
-- makes parallel requests wait for each other.
CREATE FUNCTION refuse_hoarding(person uuid, tenant text, maker text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
	PERFORM pg_advisory_xact_lock(hashtextextended(person::text, 0));
	IF (SELECT count(*) FROM appointments a WHERE a.subject_id = person AND a.state = 'held' AND a.held_until > now()
		AND CASE WHEN maker = person::text THEN a.created_by = maker
			ELSE a.created_by <> person::text AND a.tenant_id = tenant END) >= 5 THEN
		PERFORM refuse(409, 'too-many-holds', 'Five places are held already: confirm or cancel one first.');
	END IF;
END $$;

CREATE FUNCTION hold_appointment(wanted jsonb, maker text) RETURNS appointments LANGUAGE plpgsql AS $$
DECLARE
	agenda agendas;
	person uuid := coalesce(app_subject(), (wanted ->> 'personId')::uuid);
	made appointments;
BEGIN
	IF person IS NULL THEN
		PERFORM refuse(422, 'person-required', 'An operator says in personId whom the place is for.');
	END IF;
	SELECT * INTO agenda FROM agendas a WHERE a.id = (wanted ->> 'agendaId')::uuid;
	IF NOT FOUND THEN
		PERFORM refuse(422, 'slot-unavailable', 'There is no such agenda.');
	END IF;
	PERFORM refuse_hoarding(person, agenda.tenant_id, maker);
	INSERT INTO appointments (tenant_id, agenda_id, subject_id, starts_at, ends_at, held_until, reference_kind, reference_id, notes,
		created_by)
	VALUES (agenda.tenant_id, agenda.id, person, (wanted ->> 'startsAt')::timestamptz,
		(wanted ->> 'startsAt')::timestamptz + make_interval(mins => agenda.slot_minutes), now() + interval '10 minutes',
		wanted #>> '{reference,kind}', (wanted #>> '{reference,id}')::uuid, wanted ->> 'notes', maker)
	RETURNING * INTO made;
	PERFORM take_place(made.agenda_id, made.starts_at, made.id, made.held_until);
	RETURN made;
END $$;

-- The caller's appointment, locked until the end of the transaction; no row when it is not hers to see.
CREATE FUNCTION lock_appointment(wanted uuid) RETURNS SETOF appointments LANGUAGE sql AS $$
	SELECT * FROM appointments WHERE id = wanted FOR UPDATE
$$;

CREATE FUNCTION confirm_appointment(wanted uuid) RETURNS SETOF appointments LANGUAGE plpgsql AS $$
DECLARE
	found appointments;
BEGIN
	FOR found IN SELECT * FROM lock_appointment(wanted) LOOP
		IF found.state = 'cancelled' THEN
			PERFORM refuse(409, 'wrong-state', 'The appointment was cancelled.');
		ELSIF found.state = 'expired' OR found.state = 'held' AND NOT keep_place(wanted) THEN
			PERFORM refuse(409, 'hold-expired', 'The hold ended: book again.');
		ELSIF found.state = 'held' THEN
			UPDATE appointments SET state = 'confirmed', held_until = NULL, version = version + 1 WHERE id = wanted RETURNING * INTO found;
			PERFORM emit_event(found.tenant_id, 'appointment.confirmed', found.id, found.subject_id,
				jsonb_build_object('appointmentId', found.id));
		END IF;
		RETURN NEXT found;
	END LOOP;
END $$;

CREATE FUNCTION cancel_appointment(wanted uuid) RETURNS SETOF appointments LANGUAGE plpgsql AS $$
DECLARE
	found appointments;
	told boolean;
BEGIN
	FOR found IN SELECT * FROM lock_appointment(wanted) LOOP
		IF found.state = 'expired' OR found.state <> 'cancelled' AND found.starts_at <= now() THEN
			PERFORM refuse(409, 'wrong-state', 'It has begun, or its hold ended.');
		ELSIF found.state <> 'cancelled' THEN
			told := found.state = 'confirmed';      -- a hold was never announced, so its end is not either
			PERFORM free_place(wanted);
			UPDATE appointments SET state = 'cancelled', held_until = NULL, version = version + 1 WHERE id = wanted RETURNING * INTO found;
			IF told THEN
				PERFORM emit_event(found.tenant_id, 'appointment.cancelled', found.id, found.subject_id,
					jsonb_build_object('appointmentId', found.id));
			END IF;
		END IF;
		RETURN NEXT found;
	END LOOP;
END $$;

CREATE FUNCTION move_appointment(wanted uuid, new_start timestamptz) RETURNS SETOF appointments LANGUAGE plpgsql AS $$
DECLARE
	found appointments;
BEGIN
	FOR found IN SELECT * FROM lock_appointment(wanted) LOOP
		IF found.state NOT IN ('held', 'confirmed') OR found.starts_at <= now() THEN
			PERFORM refuse(409, 'wrong-state', 'Only an appointment that is held or confirmed, and has not begun, can be moved.');
		ELSIF found.state = 'held' AND found.held_until <= now() THEN
			PERFORM refuse(409, 'hold-expired', 'The hold ended: book again.');
		ELSIF found.starts_at <> new_start THEN
			PERFORM free_place(wanted);
			PERFORM take_place(found.agenda_id, new_start, wanted, coalesce(found.held_until, 'infinity'));
			UPDATE appointments SET starts_at = new_start, ends_at = new_start + (ends_at - starts_at), version = version + 1
			WHERE id = wanted RETURNING * INTO found;
			IF found.state = 'confirmed' THEN
				PERFORM emit_event(found.tenant_id, 'appointment.moved', found.id, found.subject_id,
					jsonb_build_object('appointmentId', found.id));
			END IF;
		END IF;
		RETURN NEXT found;
	END LOOP;
END $$;

CREATE FUNCTION appointment_json(a appointments) RETURNS json LANGUAGE sql STABLE AS $$
	SELECT json_strip_nulls(json_build_object('id', a.id, 'tenant', a.tenant_id,
		'state', CASE WHEN a.state = 'held' AND a.held_until <= now() THEN 'expired' ELSE a.state END, 'version', a.version,
		'title', g.title, 'agendaId', a.agenda_id, 'office', office_json(o), 'personId', a.subject_id,
		'startsAt', to_utc(a.starts_at), 'endsAt', to_utc(a.ends_at),
		'heldUntil', CASE WHEN a.state = 'held' THEN to_utc(a.held_until) END, 'code', upper(substr(md5(a.id::text), 1, 4)),
		'reference', CASE WHEN a.reference_id IS NOT NULL THEN
			json_build_object('kind', a.reference_kind, 'id', a.reference_id) END,
		'notes', a.notes))
	FROM agendas g JOIN offices o ON o.tenant_id = g.tenant_id AND o.id = g.office_id
	WHERE g.tenant_id = a.tenant_id AND g.id = a.agenda_id
$$;
