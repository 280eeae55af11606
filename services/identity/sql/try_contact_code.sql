SELECT try_contact_code($1::uuid)
