SELECT seal_saml_log()
