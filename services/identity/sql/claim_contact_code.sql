SELECT claim_contact_code()
