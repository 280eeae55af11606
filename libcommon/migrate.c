/* Owns the schema's history: which migrations are applied, with which checksum. Never goes back, never changes one that
 * was applied. A database that is ahead of the binary is only remarked on: a release can be taken back without touching
 * data. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include "common.sql.h"
#include "db.h"
#include "scope.h"
#include "text.h"

scope_of(PGconn *, pg, PQfinish)
#define auto_pg __attribute__((cleanup(scope_pg)))

	static void ignore_notice(void *context, const PGresult *notice)
{
}

static PGconn *connect_to(const char *conninfo)
{
	const char *const names[] = { "dbname", "application_name", "connect_timeout", NULL };
	const char *const values[] = { conninfo, "portico-migrate", "5", NULL };
	PGconn *pg = PQconnectdbParams(names, values, 1);

	if (PQstatus(pg) != CONNECTION_OK)
		fprintf(stderr, "the database does not answer: %s", PQerrorMessage(pg));
	PQsetNoticeReceiver(pg, ignore_notice, NULL);
	return pg;
}

/* Runs text; false and one line about it when it fails. */
static bool execute(PGconn *pg, const char *what, const char *text)
{
	auto_result PGresult *result = PQexec(pg, text);
	ExecStatusType status = PQresultStatus(result);

	if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK)
		return true;
	fprintf(stderr, "%s: %s", what, PQerrorMessage(pg));
	return false;
}

/* All that is applied; an empty database has no table of it yet. */
static PGresult *applied_list(PGconn *pg)
{
	auto_result PGresult *known = PQexec(pg, "SELECT to_regclass('schema_migrations') IS NOT NULL");

	if (PQresultStatus(known) != PGRES_TUPLES_OK)
		return NULL;
	if (strcmp(PQgetvalue(known, 0, 0), "t") != 0)
		return PQexec(pg, "SELECT '', '', '' WHERE false");
	return PQexec(pg, SQL_LIST_MIGRATIONS->text);
}

static const char *applied_checksum(const PGresult *applied, const char *set_name, const char *name)
{
	for (int i = 0; i < PQntuples(applied); i++) {
		if (strcmp(PQgetvalue(applied, i, 0), set_name) == 0 && strcmp(PQgetvalue(applied, i, 1), name) == 0)
			return PQgetvalue(applied, i, 2);
	}
	return NULL;
}

static bool record(PGconn *pg, const char *set_name, const char *name, const char *checksum)
{
	const char *values[] = { set_name, name, checksum };
	auto_result PGresult *result =
		PQexecParams(pg, "INSERT INTO schema_migrations (set_name, name, checksum) VALUES ($1, $2, $3)", 3,
			NULL, values, NULL, NULL, 0);

	if (PQresultStatus(result) == PGRES_COMMAND_OK)
		return true;
	fprintf(stderr, "%s: %s", name, PQerrorMessage(pg));
	return false;
}

static int apply(PGconn *pg, const PGresult *applied, const char *set_name, const struct sql *migration)
{
	char checksum[TEXT_SHA256_MAX];
	const char *before = applied_checksum(applied, set_name, migration->name);

	text_sha256(checksum, migration->text, strlen(migration->text));
	if (before && strcmp(before, checksum) == 0)
		return 0;
	if (before) {
		fprintf(stderr, "%s/%s was changed after it was applied: put it back and write a new migration\n",
			set_name, migration->name);
		return EX_DATAERR;
	}
	if (!execute(pg, migration->name, "BEGIN") || !execute(pg, migration->name, migration->text) ||
		!record(pg, set_name, migration->name, checksum) || !execute(pg, migration->name, "COMMIT"))
		return EX_SOFTWARE;
	printf("applied %s/%s\n", set_name, migration->name);
	return 0;
}

static int apply_set(PGconn *pg, const PGresult *applied, const struct sql_set *set)
{
	int code = 0;

	for (int i = 0; i < set->migration_count && code == 0; i++)
		code = apply(pg, applied, set->name, &set->migrations[i]);
	return code;
}

static bool embedded(const struct sql_set *set, const char *set_name, const char *name)
{
	for (int i = 0; i < set->migration_count && strcmp(set->name, set_name) == 0; i++) {
		if (strcmp(set->migrations[i].name, name) == 0)
			return true;
	}
	return false;
}

static void remark_unknown(const PGresult *applied, const struct sql_set *set)
{
	for (int i = 0; i < PQntuples(applied); i++) {
		const char *set_name = PQgetvalue(applied, i, 0), *name = PQgetvalue(applied, i, 1);

		if (!embedded(&common_sql, set_name, name) && !embedded(set, set_name, name))
			fprintf(stderr, "warning: the database has %s/%s, which this program does not know\n", set_name,
				name);
	}
}

int migrate_run(const char *owner_conninfo, const struct sql_set *set)
{
	auto_pg PGconn *pg = connect_to(owner_conninfo);
	int code;

	if (PQstatus(pg) != CONNECTION_OK)
		return EX_UNAVAILABLE;
	if (!execute(pg, "migrating", "SET lock_timeout TO '60s'; SET client_min_messages TO warning") ||
		!execute(pg, "waiting for another migration", "SELECT pg_advisory_lock(1, 1)"))
		return EX_TEMPFAIL;
	auto_result PGresult *applied = applied_list(pg);
	if (PQresultStatus(applied) != PGRES_TUPLES_OK) {
		fprintf(stderr, "reading the migrations: %s", PQerrorMessage(pg));
		return EX_SOFTWARE;
	}
	code = apply_set(pg, applied, &common_sql);
	if (code == 0)
		code = apply_set(pg, applied, set);
	remark_unknown(applied, set);
	return code;
}

static bool prepare_all(PGconn *pg, const struct sql_set *set)
{
	bool good = true;

	for (int i = 0; i < set->statement_count; i++) {
		auto_result PGresult *result = PQprepare(pg, "", set->statements[i].text, 0, NULL);

		if (PQresultStatus(result) != PGRES_COMMAND_OK) {
			fprintf(stderr, "%s/sql/%s.sql: %s", set->name, set->statements[i].name, PQerrorMessage(pg));
			good = false;
		}
	}
	return good;
}

int migrate_check(const char *conninfo, const struct sql_set *set)
{
	auto_pg PGconn *pg = connect_to(conninfo);
	bool common_good, own_good;

	if (PQstatus(pg) != CONNECTION_OK)
		return EX_UNAVAILABLE;
	common_good = prepare_all(pg, &common_sql);
	own_good = prepare_all(pg, set);
	return common_good && own_good ? 0 : EX_SOFTWARE;
}

static bool set_done(const PGresult *applied, const struct sql_set *set, const char **ret_missing)
{
	static char missing[128];
	char checksum[TEXT_SHA256_MAX];

	for (int i = 0; i < set->migration_count; i++) {
		const char *before = applied ? applied_checksum(applied, set->name, set->migrations[i].name) : NULL;

		text_sha256(checksum, set->migrations[i].text, strlen(set->migrations[i].text));
		if (!before || strcmp(before, checksum) != 0) {
			snprintf(missing, sizeof missing, "%s/%s", set->name, set->migrations[i].name);
			*ret_missing = missing;
			return false;
		}
	}
	return true;
}

bool migrate_done(struct db *db, const struct sql_set *set, const char **ret_missing)
{
	struct db_settings nobody = { 0 };
	struct db_failure failure;
	auto_result PGresult *applied = db_run(db, &nobody, SQL_LIST_MIGRATIONS, 0, NULL, &failure);

	return set_done(applied, &common_sql, ret_missing) && set_done(applied, set, ret_missing);
}
