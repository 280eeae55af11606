-- $1 client, $2 body, $3 sealed secret, $4 the secret, to be shown this once
select subscription_json(s) || jsonb_build_object('secret', $4::text), subscription_etag(s.version) as etag,
	'/events/v1/subscriptions/' || s.id as location
from add_subscription($1, $2::jsonb, $3) s
