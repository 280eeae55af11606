SELECT list_signing_keys()
