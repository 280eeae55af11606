SELECT appointment_json(a) FROM move_appointment($1::uuid, ($2::jsonb ->> 'startsAt')::timestamptz) a
