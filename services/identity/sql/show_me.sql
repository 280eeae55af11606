SELECT person_json(p), format('"%s"', p.version) AS etag
FROM persons p WHERE p.id = app_subject()
