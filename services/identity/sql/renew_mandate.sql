-- $1: the mandate, $2: the body, $3: the operator.
INSERT INTO mandates AS m (tenant_id, person_id, fiscal_code, given_name, family_name, scopes, purpose, duration, created_by, renews)
SELECT o.tenant_id, o.person_id, o.fiscal_code, o.given_name, o.family_name, o.scopes, o.purpose, $2::jsonb ->> 'duration', $3::uuid, o.id
FROM mandates o WHERE o.tenant_id = app_tenant() AND o.id = $1::uuid AND o.starts_at IS NOT NULL
RETURNING mandate_json(m), '/identity/v1/mandates/' || m.id AS location
