SELECT replace_saml_providers($1, $2::jsonb)
