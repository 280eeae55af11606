SELECT keep_saml_message($1, $2, $3, $4)
