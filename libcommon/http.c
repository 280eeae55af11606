/* Owns the listening socket, the connection threads and the bodies on their way in and out. Never looks at contracts.
 */
#include "http.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <netdb.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "deadline.h"
#include "reply.h"
#include "scope.h"
#include "spool.h"
#include "text.h"

enum {
	DEFAULT_CONNECTIONS = 256,
	IDLE_SECONDS = 75,
	STACK_BYTES = 256 * 1024,
	CONNECTION_MEMORY = 32 * 1024,
	CLOSE_MS = 1000
};
#define UPLOAD "upload-" /* of a streamed body, until its request ends */

struct http_server {
	struct http_options options;
	struct MHD_Daemon *daemon;
	atomic_int running; /* requests between head and answer */
	atomic_bool stopping;
};

struct http_exchange {
	struct http_server *server;
	struct MHD_Connection *connection;
	struct request rq;
	struct body_plan plan;
	size_t capacity;
	bool too_large;
	int spool; /* descriptor of the spooled body, or -1 */
	EVP_MD_CTX *digest;
};

static enum MHD_Result to_spool(struct http_exchange *exchange, const char *data, size_t size)
{
	while (size) {
		ssize_t written = write(exchange->spool, data, size);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0) {
			problem(&exchange->rq, 503, "unavailable", "The document cannot be stored now.");
			return MHD_NO;
		}
		EVP_DigestUpdate(exchange->digest, data, (size_t)written);
		data += written;
		size -= (size_t)written;
	}
	return MHD_YES;
}

static void to_memory(struct http_exchange *exchange, const char *data, size_t size)
{
	struct request *rq = &exchange->rq;

	if (rq->body_length + size + 1 > exchange->capacity) {
		size_t capacity = 2 * (rq->body_length + size + 1);
		char *larger = arena_alloc(rq->arena, capacity);

		memcpy(larger, rq->body, rq->body_length);
		rq->body = larger;
		exchange->capacity = capacity;
	}
	memcpy((char *)rq->body + rq->body_length, data, size);
}

/* A piece of the body: kept while it fits, thrown away once the request is refused, so that the answer can still be
 * sent. */
static void take_piece(struct http_exchange *exchange, const char *data, size_t size)
{
	struct request *rq = &exchange->rq;

	if (rq->status)
		return;
	if (size > exchange->plan.limit - rq->body_length) {
		problem(rq, 413, "content-too-large", "The body may have at most %zu bytes.", exchange->plan.limit);
		return;
	}
	if (exchange->spool < 0)
		to_memory(exchange, data, size);
	else if (to_spool(exchange, data, size) == MHD_NO)
		return;
	rq->body_length += size;
}

static void remove_spool(void *file)
{
	unlink(file);
}

static void open_spool(struct http_exchange *exchange)
{
	struct request *rq = &exchange->rq;
	char *file = arena_printf(rq->arena, "%s/" UPLOAD "XXXXXX", exchange->server->options.spool);

	exchange->spool = mkostemp(file, O_CLOEXEC);
	exchange->digest = EVP_MD_CTX_new();
	if (exchange->spool < 0 || !exchange->digest || !EVP_DigestInit_ex(exchange->digest, EVP_sha256(), NULL)) {
		log_error("cannot spool a body", "{s:s s:s}", "folder", exchange->server->options.spool, "cause",
			strerror(errno));
		problem(rq, 503, "unavailable", "The document cannot be stored now.");
		return;
	}
	rq->body_file = arena_lease(rq->arena, file, remove_spool);
}

static void close_spool(struct http_exchange *exchange)
{
	struct request *rq = &exchange->rq;
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int length = 0;
	char *hex = arena_alloc(rq->arena, 2 * EVP_MAX_MD_SIZE + 1);

	EVP_DigestFinal_ex(exchange->digest, digest, &length);
	text_hex(hex, digest, length);
	rq->body_sha256 = hex;
	if (fchmod(exchange->spool, 0640) != 0 || fsync(exchange->spool) != 0)
		problem(rq, 503, "unavailable", "The document cannot be stored now.");
	close(exchange->spool);
	exchange->spool = -1;
}

/* The head is there: a length that is known to be too large is refused before the first byte is kept. */
static void begin(struct http_exchange *exchange)
{
	struct request *rq = &exchange->rq;
	const char *length = http_header(rq, "Content-Length");

	exchange->plan = exchange->server->options.begin(rq);
	if (rq->status)
		return;
	if (length && strtoull(length, NULL, 10) > exchange->plan.limit)
		problem(rq, 413, "content-too-large", "The body may have at most %zu bytes.", exchange->plan.limit);
	else if (exchange->plan.stream)
		open_spool(exchange);
}

static struct MHD_Response *response_for(struct request *rq)
{
	struct MHD_Response *response;
	struct stat file;

	if (rq->reply_file >= 0 && fstat(rq->reply_file, &file) == 0)
		response = MHD_create_response_from_fd64((uint64_t)file.st_size, rq->reply_file);
	else
		response = MHD_create_response_from_buffer(rq->reply_length, rq->reply_body, MHD_RESPMEM_PERSISTENT);
	if (!response)
		return NULL;
	if (rq->reply_type)
		MHD_add_response_header(response, "Content-Type", rq->reply_type);
	for (const struct reply_header *header = rq->reply_headers; header; header = header->next)
		MHD_add_response_header(response, header->name, header->value);
	return response;
}

static enum MHD_Result answer(struct http_exchange *exchange)
{
	struct MHD_Response *response;
	enum MHD_Result queued;

	if (exchange->spool >= 0)
		close_spool(exchange);
	exchange->server->options.finish(&exchange->rq);
	response = response_for(&exchange->rq);
	if (!response)
		return MHD_NO;
	if (exchange->server->stopping)
		MHD_add_response_header(response, "Connection", "close");
	queued = MHD_queue_response(exchange->connection, (unsigned)exchange->rq.status, response);
	MHD_destroy_response(response);
	return queued;
}

static struct http_exchange *exchange_new(
	struct http_server *server, struct MHD_Connection *connection, const char *url, const char *method)
{
	struct arena *arena = arena_new();
	struct http_exchange *exchange = arena_alloc(arena, sizeof *exchange);

	*exchange = (struct http_exchange){ .server = server, .connection = connection, .spool = -1 };
	exchange->rq =
		(struct request){ .arena = arena, .http = exchange, .body = "", .reply_body = "", .reply_file = -1 };
	exchange->rq.method = arena_strdup(arena, method);
	exchange->rq.path = arena_strdup(arena, url);
	atomic_fetch_add(&server->running, 1);
	return exchange;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url, const char *method,
	const char *version, const char *data, size_t *size, void **state)
{
	struct http_exchange *exchange = *state;

	if (!exchange) {
		exchange = *state = exchange_new(context, connection, url, method);
		begin(exchange);
		return MHD_YES;
	}
	if (*size) {
		take_piece(exchange, data, *size);
		*size = 0;
		return MHD_YES;
	}
	return answer(exchange);
}

static void on_completed(
	void *context, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode reason)
{
	struct http_exchange *exchange = *state;
	struct http_server *server = context;

	if (!exchange)
		return;
	*state = NULL;
	if (exchange->spool >= 0)
		close(exchange->spool);
	EVP_MD_CTX_free(exchange->digest);
	arena_free(exchange->rq.arena);
	atomic_fetch_sub(&server->running, 1);
}

/* "host:port" or "[host]:port" into an address to bind. */
static struct addrinfo *resolve(const char *listen_at)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV }, *found = NULL;
	auto_free char *host = strdup(listen_at);
	char *port = host ? strrchr(host, ':') : NULL;
	char *name = host;

	if (!port)
		return NULL;
	*port++ = '\0';
	if (*name == '[' && port - name > 2 && port[-2] == ']') {
		name++;
		port[-2] = '\0';
	}
	return getaddrinfo(*name ? name : NULL, port, &hints, &found) == 0 ? found : NULL;
}

static int listen_on(const char *listen_at)
{
	struct addrinfo *address = resolve(listen_at);
	int one = 1, fd;

	if (!address) {
		errno = EINVAL;
		return -1;
	}
	fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
		if (bind(fd, address->ai_addr, address->ai_addrlen) != 0 || listen(fd, 512) != 0) {
			int cause = errno;

			close(fd);
			fd = -1;
			errno = cause;
		}
	}
	freeaddrinfo(address);
	return fd;
}

struct http_server *http_start(const struct http_options *options, const char **ret_error)
{
	struct http_server *server = calloc(1, sizeof *server);
	int connections = options->connections ? options->connections : DEFAULT_CONNECTIONS;
	int fd = listen_on(options->listen);

	*ret_error = strerror(errno);
	if (fd < 0 || !server) {
		free(server);
		return NULL;
	}
	server->options = *options;
	if (options->spool)
		spool_sweep(options->spool, UPLOAD);
	server->daemon = MHD_start_daemon(
		MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL | MHD_USE_ITC, 0, NULL,
		NULL, on_request, server, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
		(unsigned)connections, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS,
		MHD_OPTION_THREAD_STACK_SIZE, (size_t)STACK_BYTES, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)CONNECTION_MEMORY, MHD_OPTION_NOTIFY_COMPLETED, on_completed, server, MHD_OPTION_END);
	if (!server->daemon) {
		*ret_error = "the HTTP server did not start";
		close(fd);
		free(server);
		return NULL;
	}
	return server;
}

static void *stop_daemon(void *daemon)
{
	MHD_stop_daemon(daemon);
	return NULL;
}

void http_drain(struct http_server *server)
{
	server->stopping = true;
}

/* Whose body is still coming is cut off by the daemon; a handler is waited for by it, however long it takes. */
bool http_stop(struct http_server *server, int wait_ms)
{
	int fd = MHD_quiesce_daemon(server->daemon);
	struct timespec deadline;
	pthread_t stopper;

	if (fd >= 0)
		close(fd);
	http_drain(server);
	for (; wait_ms > 0 && atomic_load(&server->running); wait_ms -= 10)
		nanosleep(&(struct timespec){ .tv_nsec = 10 * 1000000 }, NULL);
	deadline = deadline_in(CLOCK_REALTIME, CLOSE_MS);
	if (pthread_create(&stopper, NULL, stop_daemon, server->daemon) != 0 ||
		pthread_timedjoin_np(stopper, NULL, &deadline) != 0)
		return false;
	free(server);
	return true;
}

const char *http_header(struct request *rq, const char *name)
{
	return rq->http ? MHD_lookup_connection_value(rq->http->connection, MHD_HEADER_KIND, name) : NULL;
}

const char *http_query(struct request *rq, const char *name)
{
	return rq->http ? MHD_lookup_connection_value(rq->http->connection, MHD_GET_ARGUMENT_KIND, name) : NULL;
}

struct names {
	const char **list;
	size_t count, capacity;
};

static enum MHD_Result collect_name(void *context, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct names *names = context;

	if (names->count < names->capacity)
		names->list[names->count++] = name;
	return MHD_YES;
}

const char *const *http_query_names(struct request *rq)
{
	int count = MHD_get_connection_values(rq->http->connection, MHD_GET_ARGUMENT_KIND, NULL, NULL);
	struct names names = { .capacity = (size_t)(count > 0 ? count : 0) };

	names.list = arena_alloc(rq->arena, (names.capacity + 1) * sizeof *names.list);
	MHD_get_connection_values(rq->http->connection, MHD_GET_ARGUMENT_KIND, collect_name, &names);
	return names.list;
}
