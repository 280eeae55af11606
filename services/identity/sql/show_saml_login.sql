SELECT show_saml_login($1, $2)
