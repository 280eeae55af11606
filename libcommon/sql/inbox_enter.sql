SELECT inbox_enter($1, $2::uuid)
