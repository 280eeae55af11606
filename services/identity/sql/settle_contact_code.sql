SELECT settle_contact_code($1::uuid, $2::boolean)
