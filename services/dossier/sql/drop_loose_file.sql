delete from loose_files where tenant_id = $1 and sha256 = $2
