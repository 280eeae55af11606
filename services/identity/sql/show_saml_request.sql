SELECT show_saml_request($1)
