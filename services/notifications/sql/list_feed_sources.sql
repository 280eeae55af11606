select coalesce(json_object_agg(source, position), '{}') from feed_sources
