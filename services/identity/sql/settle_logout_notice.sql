SELECT settle_logout_notice($1::uuid, $2)
