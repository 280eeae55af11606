SELECT end_saml_login($1, $2, $3::jsonb, $4, $5, $6, $7, $8, $9)
