SELECT begin_saml_login($1, $2, $3, $4, $5)
