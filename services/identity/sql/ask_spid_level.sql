SELECT ask_spid_level($1, $2::int)
