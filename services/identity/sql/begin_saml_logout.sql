SELECT begin_saml_logout($1::uuid, $2, $3, $4)
