/* A server on libmicrohttpd that answers each request with how libmicrohttpd has understood it: what a service behind
 * the gateway would have been told. Listens on a port of its own and prints it; ends when its input does.
 *
 *   {"method", "uri" (as it stood in the request line), "path" (decoded), "version", "query": [[name, value]…],
 *    "fields": [[name, value]…], "trailers": [[name, value]…], "length", "sha256" (of the body),
 *    "onConnection" (the how manieth request of its connection this is)}
 *
 * GET /understood: {"begun", "complete"}, how many requests before this one had a head, and how many of them an end.
 * GET /readyz is for the gateway's own look at it, and is not counted. */
#include <arpa/inet.h>
#include <jansson.h>
#include <microhttpd.h>
#include <openssl/evp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CONNECTION_MEMORY = 32 * 1024 }; /* as libcommon/http.c has it */

struct asked {
	char *uri;
	bool begun;
	size_t length;
	EVP_MD_CTX *digest;
};

static atomic_uint begun, complete;

/* Any bytes as a JSON string: each as the character of that number. */
static json_t *text_of(const char *bytes, size_t length)
{
	char *utf8 = malloc(2 * length + 1);
	size_t at = 0;
	json_t *text;

	for (size_t i = 0; utf8 && i < length; i++) {
		unsigned char byte = (unsigned char)bytes[i];

		if (byte >= 0x80)
			utf8[at++] = (char)(0xc0 | byte >> 6);
		utf8[at++] = (char)(byte < 0x80 ? byte : 0x80 | (byte & 0x3f));
	}
	text = json_stringn(utf8, at);
	free(utf8);
	return text;
}

static enum MHD_Result collect(void *list, enum MHD_ValueKind kind, const char *name, size_t name_length,
	const char *value, size_t value_length)
{
	json_array_append_new(list,
		json_pack("[o, o]", text_of(name, name_length), value ? text_of(value, value_length) : json_null()));
	return MHD_YES;
}

static json_t *values_of(struct MHD_Connection *connection, enum MHD_ValueKind kind)
{
	json_t *list = json_array();

	MHD_get_connection_values_n(connection, kind, collect, list);
	return list;
}

static json_t *digest_of(struct asked *asked)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	char hex[2 * EVP_MAX_MD_SIZE + 1] = "";
	unsigned length = 0;

	EVP_DigestFinal_ex(asked->digest, digest, &length);
	for (unsigned i = 0; i < length; i++)
		sprintf(hex + 2 * i, "%02x", digest[i]);
	return json_string(hex);
}

static unsigned *requests_on(struct MHD_Connection *connection)
{
	return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

static enum MHD_Result answer(struct MHD_Connection *connection, json_t *content)
{
	char *text = json_dumps(content, JSON_COMPACT);
	struct MHD_Response *response = MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
	enum MHD_Result queued;

	MHD_add_response_header(response, "Content-Type", "application/json");
	queued = MHD_queue_response(connection, 200, response);
	MHD_destroy_response(response);
	json_decref(content);
	return queued;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *path,
	const char *method, const char *version, const char *data, size_t *size, void **state)
{
	struct asked *asked = *state;

	if (strcmp(asked->uri, "/understood") == 0)
		return answer(connection, json_pack("{s:i, s:i}", "begun", (int)begun, "complete", (int)complete));
	if (strcmp(asked->uri, "/readyz") == 0)
		return answer(connection, json_object());
	if (!asked->begun) {
		asked->begun = true;
		++*requests_on(connection);
		begun++;
		return MHD_YES;
	}
	if (*size) {
		EVP_DigestUpdate(asked->digest, data, *size);
		asked->length += *size;
		*size = 0;
		return MHD_YES;
	}
	complete++;
	return answer(connection,
		json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:o, s:i}", "method",
			text_of(method, strlen(method)), "uri", text_of(asked->uri, strlen(asked->uri)), "path",
			text_of(path, strlen(path)), "version", text_of(version, strlen(version)), "query",
			values_of(connection, MHD_GET_ARGUMENT_KIND), "fields", values_of(connection, MHD_HEADER_KIND),
			"trailers", values_of(connection, MHD_FOOTER_KIND), "length", (json_int_t)asked->length,
			"sha256", digest_of(asked), "onConnection", (int)*requests_on(connection)));
}

static void *on_uri(void *context, const char *uri, struct MHD_Connection *connection)
{
	struct asked *asked = calloc(1, sizeof(*asked));

	asked->uri = strdup(uri);
	asked->digest = EVP_MD_CTX_new();
	EVP_DigestInit_ex(asked->digest, EVP_sha256(), NULL);
	return asked;
}

static void on_completed(
	void *context, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode reason)
{
	struct asked *asked = *state;

	if (!asked)
		return;
	EVP_MD_CTX_free(asked->digest);
	free(asked->uri);
	free(asked);
}

static void on_connection(void *context, struct MHD_Connection *connection, void **socket_context,
	enum MHD_ConnectionNotificationCode code)
{
	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		*socket_context = calloc(1, sizeof(unsigned));
	else
		free(*socket_context);
}

int main(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct MHD_Daemon *daemon = MHD_start_daemon(
		MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL | MHD_USE_ITC, 0, NULL,
		NULL, on_request, NULL, MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)CONNECTION_MEMORY, MHD_OPTION_URI_LOG_CALLBACK, on_uri, NULL, MHD_OPTION_NOTIFY_COMPLETED,
		on_completed, NULL, MHD_OPTION_NOTIFY_CONNECTION, on_connection, NULL, MHD_OPTION_END);
	char end;

	if (!daemon) {
		perror("mirror");
		return 1;
	}
	printf("%u\n", MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
	fflush(stdout);
	while (read(STDIN_FILENO, &end, 1) > 0)
		;
	MHD_stop_daemon(daemon);
	return 0;
}
