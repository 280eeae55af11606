SELECT set_name, name, checksum FROM schema_migrations
