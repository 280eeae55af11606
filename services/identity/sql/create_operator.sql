INSERT INTO operators AS o (tenant_id, fiscal_code, given_name, family_name, email, roles, offices)
SELECT app_tenant(), n ->> 'fiscalCode', n ->> 'givenName', n ->> 'familyName', n ->> 'email',
	ARRAY(SELECT jsonb_array_elements_text(n -> 'roles')), ARRAY(SELECT jsonb_array_elements_text(n -> 'offices'))
FROM (SELECT $1::jsonb AS n) AS new
RETURNING operator_json(o), '/identity/v1/operators/' || o.id AS location
