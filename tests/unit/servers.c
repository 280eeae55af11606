/* Owns the servers that unit tests talk to. */
#include "servers.h"
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include "scope.h"

enum { CHANNELS_MAX = 64 };

static void need(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "the test's servers: %s\n", what);
	abort();
}

static const char *superuser(void)
{
	return getenv("PORTICO_TEST_DATABASE");
}

bool servers_given(void)
{
	return superuser() != NULL;
}

const char *servers_conninfo(const char *service, const char *role_suffix)
{
	static char texts[4][512];
	static int next;
	char *text = texts[next++ % 4];

	snprintf(text, sizeof texts[0], "%s dbname=portico_%s user=portico_%s%s", superuser(), service, service,
		role_suffix);
	return text;
}

static const char *run_sql(const char *conninfo, const char *sql)
{
	static char value[4096];
	PGconn *pg = PQconnectdb(conninfo);

	need(PQstatus(pg) == CONNECTION_OK, PQerrorMessage(pg));
	PGresult *result = PQexec(pg, sql);
	ExecStatusType status = PQresultStatus(result);
	need(status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK, PQerrorMessage(pg));
	snprintf(value, sizeof value, "%s", PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "");
	PQclear(result);
	PQfinish(pg);
	return value;
}

const char *servers_sql(const char *service, const char *format, ...)
{
	char conninfo[512], sql[2048];
	va_list args;

	va_start(args, format);
	vsnprintf(sql, sizeof sql, format, args);
	va_end(args);
	snprintf(conninfo, sizeof conninfo, "%s dbname=portico_%s", superuser(), service);
	return run_sql(conninfo, sql);
}

void servers_make_database(const char *service)
{
	char command[1024], drop[256];

	snprintf(drop, sizeof drop, "DROP DATABASE IF EXISTS portico_%s WITH (FORCE)", service);
	run_sql(superuser(), drop);
	snprintf(command, sizeof command, "psql -q -X -d '%s' -v service=%s -f %s/deploy/create_database.sql",
		superuser(), service, PORTICO_SOURCE_DIR);
	need(system(command) == 0, "create_database.sql failed");
}

static char redis_folder[] = "/tmp/portico-redis-XXXXXX";
static char redis_address[32];
static pid_t redis_pid;

static int free_port(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof address;
	auto_fd int fd = socket(AF_INET, SOCK_STREAM, 0);

	need(bind(fd, (struct sockaddr *)&address, sizeof address) == 0, "no free port");
	getsockname(fd, (struct sockaddr *)&address, &length);
	return ntohs(address.sin_port);
}

static bool redis_answers(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons((uint16_t)atoi(strchr(redis_address, ':') + 1)) };
	auto_fd int fd = socket(AF_INET, SOCK_STREAM, 0);
	char answer[8] = "";

	if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0 || write(fd, "PING\r\n", 6) != 6)
		return false;
	return read(fd, answer, sizeof answer - 1) > 0 && strncmp(answer, "+PONG", 5) == 0;
}

void servers_redis_again(void)
{
	redis_pid = fork();
	if (redis_pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that crashes leaves nothing behind */
		execlp("redis-server", "redis-server", "--port", strchr(redis_address, ':') + 1, "--bind", "127.0.0.1",
			"--dir", redis_folder, "--appendonly", "yes", "--save", "", "--logfile", "redis.log", NULL);
		_exit(127);
	}
	for (int i = 0; i < 200 && !redis_answers(); i++)
		usleep(50000);
	need(redis_answers(), "redis-server does not start");
}

const char *servers_redis_start(void)
{
	need(mkdtemp(redis_folder) != NULL, "no folder for Redis");
	snprintf(redis_address, sizeof redis_address, "127.0.0.1:%d", free_port());
	servers_redis_again();
	return redis_address;
}

void servers_redis_kill(void)
{
	kill(redis_pid, SIGKILL);
	waitpid(redis_pid, NULL, 0);
}

void servers_redis_empty(void)
{
	char command[128];

	snprintf(command, sizeof command, "rm -rf %s/*", redis_folder);
	need(system(command) == 0, "Redis's files stay");
}

void servers_redis_stop(void)
{
	servers_redis_kill();
	servers_redis_empty();
	rmdir(redis_folder);
	strcpy(redis_folder, "/tmp/portico-redis-XXXXXX");
}

static int gate_port, gate_listener;
static _Atomic(int) gate_state;
static char server_host[256], server_port[16];

static int connect_to_server(void)
{
	int fd;

	if (server_host[0] == '/') {
		struct sockaddr_un address = { .sun_family = AF_UNIX };

		snprintf(address.sun_path, sizeof address.sun_path, "%.80s/.s.PGSQL.%s", server_host, server_port);
		fd = socket(AF_UNIX, SOCK_STREAM, 0);
		return connect(fd, (struct sockaddr *)&address, sizeof address) == 0 ? fd : -1;
	}
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(server_port)) };
	inet_pton(AF_INET, server_host, &address.sin_addr);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	return connect(fd, (struct sockaddr *)&address, sizeof address) == 0 ? fd : -1;
}

static bool move(int from, int to)
{
	char buffer[65536];
	ssize_t got = read(from, buffer, sizeof buffer);

	return got > 0 && write(to, buffer, (size_t)got) == got;
}

static void *gate_channel(void *context)
{
	auto_fd int client = (int)(long)context;
	auto_fd int server = connect_to_server();
	struct pollfd ends[] = { { .fd = client, .events = POLLIN }, { .fd = server, .events = POLLIN } };

	while (server >= 0 && gate_state != GATE_SHUT) {
		int ready = gate_state == GATE_OPEN ? poll(ends, 2, 20) : (usleep(20000), 0);

		if (ready > 0 && ends[0].revents && !move(client, server))
			break;
		if (ready > 0 && ends[1].revents && !move(server, client))
			break;
	}
	return NULL;
}

static void *gate_accept(void *unused)
{
	for (;;) {
		int client = accept(gate_listener, NULL, NULL);
		pthread_t thread;

		if (client < 0)
			return NULL;
		if (gate_state == GATE_SHUT) {
			close(client);
			continue;
		}
		need(pthread_create(&thread, NULL, gate_channel, (void *)(long)client) == 0, "no thread");
		pthread_detach(thread);
	}
}

int gate_start(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof address;
	PGconn *pg = PQconnectdb(superuser());
	pthread_t thread;

	need(PQstatus(pg) == CONNECTION_OK, PQerrorMessage(pg));
	snprintf(server_host, sizeof server_host, "%s", PQhost(pg));
	snprintf(server_port, sizeof server_port, "%s", PQport(pg));
	PQfinish(pg);
	if (strcmp(server_host, "localhost") == 0)
		strcpy(server_host, "127.0.0.1");
	gate_listener = socket(AF_INET, SOCK_STREAM, 0);
	need(bind(gate_listener, (struct sockaddr *)&address, sizeof address) == 0 && listen(gate_listener, 64) == 0,
		"the gate has no port");
	getsockname(gate_listener, (struct sockaddr *)&address, &length);
	gate_port = ntohs(address.sin_port);
	need(pthread_create(&thread, NULL, gate_accept, NULL) == 0, "no thread");
	pthread_detach(thread);
	return gate_port;
}

void gate_set(enum gate state)
{
	gate_state = state;
	usleep(100000);
}

const char *gate_conninfo(const char *service, const char *role_suffix)
{
	static char text[512];

	snprintf(text, sizeof text, "host=127.0.0.1 port=%d sslmode=disable dbname=portico_%s user=portico_%s%s",
		gate_port, service, service, role_suffix);
	return text;
}
