SELECT end_saml_logout($1, $2, $3)
