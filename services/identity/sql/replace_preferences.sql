SELECT preferences_json(p), format('"%s"', p.version) AS etag
FROM replace_preferences($1::jsonb, $2) p WHERE p.id IS NOT NULL
