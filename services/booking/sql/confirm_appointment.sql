SELECT appointment_json(a) FROM confirm_appointment($1::uuid) a
