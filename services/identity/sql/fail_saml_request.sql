SELECT fail_saml_request($1, $2, $3, $4)
