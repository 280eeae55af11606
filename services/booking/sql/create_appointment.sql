SELECT appointment_json(a), '/booking/v1/appointments/' || a.id AS location FROM hold_appointment($1::jsonb, $2) a
