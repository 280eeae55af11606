SELECT appointment_json(a) FROM appointments a WHERE a.id = $1::uuid
