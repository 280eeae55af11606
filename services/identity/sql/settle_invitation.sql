SELECT settle_invitation($1, $2::boolean)
