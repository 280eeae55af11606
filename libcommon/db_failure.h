/* The one place where an SQLSTATE becomes an HTTP status and a problem slug. */
#pragma once
#include "db.h"

/* From the server's error. */
void db_failure_from(const PGresult *result, struct db_failure *failure);
/* No connection, none free in time, or it broke: 503 unavailable. sqlstate may be NULL. */
void db_failure_unavailable(const char *sqlstate, struct db_failure *failure);
