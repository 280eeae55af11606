SELECT list_revocations($1)
