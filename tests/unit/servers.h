/* Real servers for unit tests: a database made anew on the PostgreSQL of PORTICO_TEST_DATABASE (a superuser's conninfo
 * in keyword form, whose roles may log in without a password), a Redis of the test's own, and a gate between a client
 * and its server. */
#pragma once
#include <stdbool.h>
#include "db.h"

/* Whether PORTICO_TEST_DATABASE is set. When it is, whatever does not answer is a failure. */
bool servers_given(void);

/* Makes portico_SERVICE anew with deploy/create_database.sql; the conninfo of its service or owner role (static
 * storage). */
void servers_make_database(const char *service);
const char *servers_conninfo(const char *service, const char *role_suffix);
/* Runs SQL as superuser in that database; the first value as text (static storage), "" when there is none. */
const char *servers_sql(const char *service, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* redis-server with appendonly everysec in a folder of its own; its address "127.0.0.1:PORT" (static storage). */
const char *servers_redis_start(void);
void servers_redis_kill(void);	/* SIGKILL */
void servers_redis_again(void); /* started again on what it had written */
void servers_redis_empty(void); /* its files are gone: to be called while it is dead */
void servers_redis_stop(void);

/* A TCP gate on 127.0.0.1 before the PostgreSQL server. */
enum gate { GATE_OPEN, GATE_HANGING, GATE_SHUT };
int gate_start(void);		/* its port */
void gate_set(enum gate state); /* GATE_SHUT also cuts what is connected */
const char *gate_conninfo(const char *service, const char *role_suffix);
