SELECT appointment_json(a) FROM cancel_appointment($1::uuid) a
