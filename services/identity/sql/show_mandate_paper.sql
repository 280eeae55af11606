SELECT json_build_object('hex', encode(p.content, 'hex')) FROM mandate_papers p WHERE p.mandate_id = $1::uuid
