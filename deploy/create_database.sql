-- The database of one service and its three roles. Run by a superuser, as often as one likes:
--
--     psql -v service=dossier [-v password=…] -f deploy/create_database.sql
--
-- portico_NAME_owner   owns the database and runs the migrations
-- portico_NAME         what the service logs in as: rows under row security, no inheritance
-- portico_NAME_worker  what the service changes to (SET LOCAL ROLE) for background work on every tenant
\set ON_ERROR_STOP on
SET client_min_messages = warning;
\if :{?password}
\else
	\set password ''
\endif
SELECT 'portico_' || :'service' AS service_role, 'portico_' || :'service' || '_owner' AS owner_role,
	'portico_' || :'service' || '_worker' AS worker_role \gset

SELECT format('CREATE ROLE %I', name) FROM unnest(ARRAY[:'owner_role', :'service_role', :'worker_role']) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec

ALTER ROLE :"owner_role" LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE;
ALTER ROLE :"service_role" LOGIN NOINHERIT NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE;
ALTER ROLE :"worker_role" NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE;
GRANT :"worker_role" TO :"service_role";
SELECT format('ALTER ROLE %I PASSWORD %L', name, :'password')
FROM unnest(ARRAY[:'owner_role', :'service_role']) AS name WHERE :'password' <> '' \gexec

SELECT format('CREATE DATABASE %I OWNER %I ENCODING ''UTF8'' TEMPLATE template0', :'service_role', :'owner_role')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'service_role') \gexec

REVOKE ALL ON DATABASE :"service_role" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"service_role" TO :"service_role";
ALTER DATABASE :"service_role" SET timezone TO 'UTC';
-- Every statement is short: compiling one would take a hundred times as long as running it.
ALTER DATABASE :"service_role" SET jit TO off;

\connect :"service_role"
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS btree_gist;
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE EXTENSION IF NOT EXISTS unaccent;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner_role" REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner_role" IN SCHEMA public
	GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO :"service_role", :"worker_role";
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner_role" IN SCHEMA public
	GRANT USAGE ON SEQUENCES TO :"service_role", :"worker_role";
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner_role" IN SCHEMA public
	GRANT EXECUTE ON FUNCTIONS TO :"service_role", :"worker_role";
