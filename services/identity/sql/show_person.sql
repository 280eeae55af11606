SELECT person_for_service($1::uuid, $2)
