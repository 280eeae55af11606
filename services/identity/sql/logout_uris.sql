SELECT logout_uris($1)
