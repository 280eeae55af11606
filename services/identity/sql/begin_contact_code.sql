SELECT begin_contact_code($1::uuid, $2)
