SELECT json_build_object('redriven', asked) FROM dead_letters_redrive($1::uuid) AS asked WHERE $1::uuid IS NULL OR asked > 0
