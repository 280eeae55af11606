SELECT confirm_contact($1::uuid)
