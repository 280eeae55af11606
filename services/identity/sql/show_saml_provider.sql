SELECT show_saml_provider($1)
