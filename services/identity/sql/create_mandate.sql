-- $1: the body, $2: the operator.
INSERT INTO mandates AS m (tenant_id, person_id, fiscal_code, given_name, family_name, scopes, purpose, duration, created_by)
SELECT app_tenant(), assisted_person(n ->> 'fiscalCode', n ->> 'givenName', n ->> 'familyName'), n ->> 'fiscalCode', n ->> 'givenName',
	n ->> 'familyName', ARRAY(SELECT jsonb_array_elements_text(n -> 'scopes')), n ->> 'purpose', n ->> 'duration', $2::uuid
FROM (SELECT $1::jsonb AS n) AS new
RETURNING mandate_json(m), '/identity/v1/mandates/' || m.id AS location
