/* Owns how bytes go to PostgreSQL and back: connecting, pipelining, waiting with a deadline. Decides nothing about
 * statements. */
#include "db_connection.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "db_failure.h"
#include "scope.h"

long long monotonic_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* Waits for the socket until the deadline; what poll found, 0 when time ran out. */
static short wait_socket(PGconn *pg, short events, long long deadline)
{
	struct pollfd socket = { .fd = PQsocket(pg), .events = events };

	for (;;) {
		long long left = deadline - monotonic_ms();
		int ready = poll(&socket, 1, left > 0 ? (int)left : 0);

		if (ready > 0)
			return socket.revents;
		if (ready == 0 || errno != EINTR)
			return 0;
	}
}

static PGconn *start(const char *conninfo, const char *application)
{
	char options[256];

	snprintf(options, sizeof options,
		"-c statement_timeout=%d -c lock_timeout=%d -c idle_in_transaction_session_timeout=%d -c jit=off -c "
		"timezone=UTC",
		DB_STATEMENT_TIMEOUT_MS, DB_LOCK_TIMEOUT_MS, DB_IDLE_IN_TRANSACTION_MS);
	const char *const names[] = { "dbname", "application_name", "options", "client_encoding", "connect_timeout",
		"keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout", NULL };
	const char *const values[] = { conninfo, application, options, "UTF8", "2", "30", "5", "3", "10000", NULL };

	return PQconnectStartParams(names, values, 1);
}

static bool connected(PGconn *pg)
{
	long long deadline = monotonic_ms() + DB_CONNECT_MS;
	PostgresPollingStatusType state = PGRES_POLLING_WRITING;

	if (PQstatus(pg) == CONNECTION_BAD)
		return false;
	while (state != PGRES_POLLING_OK) {
		if (state == PGRES_POLLING_FAILED ||
			!wait_socket(pg, state == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline))
			return false;
		state = PQconnectPoll(pg);
	}
	return PQsetnonblocking(pg, 1) == 0 && PQenterPipelineMode(pg) == 1;
}

/* The server's notices would go to standard error otherwise. */
static void ignore_notice(void *context, const PGresult *notice)
{
}

struct connection *connection_open(
	const char *conninfo, const char *application, int places, struct db_failure *failure)
{
	struct connection *connection = calloc(1, sizeof *connection);

	if (!connection)
		abort();
	connection->prepared = calloc((size_t)places, sizeof(bool));
	connection->pg = start(conninfo, application);
	if (!connection->prepared || !connection->pg)
		abort();
	if (!connected(connection->pg)) {
		connection_close(connection);
		db_failure_unavailable("08001", failure);
		return NULL;
	}
	PQsetNoticeReceiver(connection->pg, ignore_notice, NULL);
	return connection;
}

void connection_close(struct connection *connection)
{
	if (!connection)
		return;
	PQfinish(connection->pg);
	free(connection->prepared);
	free(connection);
}

bool connection_fresh(const struct connection *connection)
{
	struct pollfd socket = { .fd = PQsocket(connection->pg), .events = POLLIN };

	return PQstatus(connection->pg) == CONNECTION_OK && poll(&socket, 1, 0) == 0;
}

static void add_step(struct exchange *exchange, int sent, struct step step)
{
	if (exchange->count == DB_STEPS_MAX)
		abort();
	if (!sent)
		exchange->connection->broken = true;
	exchange->steps[exchange->count++] = step;
}

void exchange_add(
	struct exchange *exchange, const struct prepared *statement, int count, const char *const *values, bool wanted)
{
	PGconn *pg = exchange->connection->pg;

	if (!exchange->connection->prepared[statement->place])
		add_step(exchange, PQsendPrepare(pg, statement->name, statement->text, 0, NULL),
			(struct step){ .place = statement->place });
	add_step(exchange, PQsendQueryPrepared(pg, statement->name, count, values, NULL, NULL, 0),
		(struct step){ .place = -1, .wanted = wanted });
}

/* Everything out, reading meanwhile: the server may stop reading until it is read from. */
static bool flush(struct connection *connection, long long deadline)
{
	for (;;) {
		int left = PQflush(connection->pg);

		if (left == 0)
			return true;
		if (left < 0)
			return false;
		short ready = wait_socket(connection->pg, POLLIN | POLLOUT, deadline);
		if (!ready || ((ready & POLLIN) && !PQconsumeInput(connection->pg)))
			return false;
	}
}

/* The next result; NULL also between two of them. *ret_lost when it did not come in time. */
static PGresult *receive(struct connection *connection, long long deadline, bool *ret_lost)
{
	while (PQisBusy(connection->pg)) {
		if (!wait_socket(connection->pg, POLLIN, deadline) || !PQconsumeInput(connection->pg)) {
			*ret_lost = true;
			return NULL;
		}
	}
	return PQgetResult(connection->pg);
}

static bool good(const PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);

	return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

struct reading {
	long long deadline;
	struct db_failure *failure;
	int failed; /* the first step that failed, or -1 */
	PGresult *wanted;
};

/* One step's result and the NULL that ends it. False when the connection is lost. */
static bool read_step(struct exchange *exchange, int index, struct reading *reading)
{
	struct connection *connection = exchange->connection;
	const struct step *step = &exchange->steps[index];
	bool lost = false;
	auto_result PGresult *result = receive(connection, reading->deadline, &lost);

	if (!result)
		return false;
	if (!good(result) && reading->failed < 0) {
		reading->failed = index;
		db_failure_from(result, reading->failure);
	}
	if (PQstatus(connection->pg) == CONNECTION_BAD)
		return false;
	if (good(result) && step->place >= 0)
		connection->prepared[step->place] = true;
	if (good(result) && step->wanted)
		reading->wanted = steal(result);
	auto_result PGresult *end = receive(connection, reading->deadline, &lost);
	return !end && !lost;
}

static bool read_sync(struct connection *connection, long long deadline)
{
	bool lost = false;
	auto_result PGresult *result = receive(connection, deadline, &lost);

	return PQresultStatus(result) == PGRES_PIPELINE_SYNC;
}

PGresult *exchange_run(struct exchange *exchange, int timeout_ms, struct db_failure *failure, int *ret_step)
{
	struct connection *connection = exchange->connection;
	struct reading reading = { monotonic_ms() + timeout_ms, failure, -1, NULL };
	bool alive = !connection->broken && PQpipelineSync(connection->pg) && flush(connection, reading.deadline);

	*failure = (struct db_failure){ 0 };
	for (int i = 0; alive && i < exchange->count; i++)
		alive = read_step(exchange, i, &reading);
	alive = alive && read_sync(connection, reading.deadline);
	if (!alive) {
		connection->broken = true;
		if (!failure->status)
			db_failure_unavailable("08006", failure);
	}
	if (ret_step)
		*ret_step = reading.failed;
	if (failure->status) {
		PQclear(reading.wanted);
		return NULL;
	}
	return reading.wanted;
}
