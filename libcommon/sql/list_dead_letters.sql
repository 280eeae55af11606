SELECT dead_letter_page($1::uuid, $2::int)
