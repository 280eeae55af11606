-- Unless another row has been lost since it was claimed ($3): then it is looked at again.
delete from loose_files where tenant_id = $1 and sha256 = $2 and since = $3::timestamptz
