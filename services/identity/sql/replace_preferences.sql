SELECT preferences, format('"%s"', version) AS etag FROM replace_preferences($1::jsonb, $2)
