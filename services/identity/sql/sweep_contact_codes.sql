SELECT sweep_contact_codes()
