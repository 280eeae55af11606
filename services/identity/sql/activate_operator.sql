SELECT activate_operator($1, $2, $3::bigint, ARRAY(SELECT jsonb_array_elements_text($4::jsonb)))
