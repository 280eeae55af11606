/* The settings of the gateway and how they become struct gateway. Says in one sentence what is wrong and where. */
#include "gateway.h"
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "config.h"

static const struct setting own_settings[] = {
	{ "PORTICO_LISTEN", "127.0.0.1:8080", "Address and port of the public listener." },
	{ "PORTICO_METRICS_LISTEN", "",
		"Address and port of /metrics. Empty: on the public listener, for callers from this machine only." },
	{ "PORTICO_UPSTREAMS", NULL, "The services: identity=host:port|host:port,dossier=… (each has its contract)." },
	{ "PORTICO_CONTRACTS", "openapi", "Folder of the contracts." },
	{ "PORTICO_ISSUER", "http://127.0.0.1:8080/identity/v1", "Claim iss of the access tokens." },
	{ "PORTICO_AUDIENCE", "portico", "Claim aud of the access tokens." },
	{ "PORTICO_JWKS_URL", "http://127.0.0.1:8101/identity/v1/jwks.json", "Where identity publishes its keys." },
	{ "PORTICO_CALLER_KEY", NULL, "Key of the caller header, shared with the services.", .secret = true },
	{ "PORTICO_WORKERS", "0", "Worker threads; 0: one per core.", .number = true },
	{ "PORTICO_CORS_ORIGINS", "", "Origins of front ends that browsers may call from, by comma." },
	{ "PORTICO_ACCESS_LOG", "-", "File of the access log; -: standard output; off: none." },
	{ "PORTICO_LOG_LEVEL", "info", "error, warning, info or debug." },
	{ "PORTICO_LIMIT_ADDRESS", "12000", "Requests a minute from one address; 0: no limit.", .number = true },
	{ "PORTICO_LIMIT_CALLER", "3000", "Requests a minute of one person or client; 0: no limit.", .number = true },
	{ "PORTICO_MAX_CONNECTIONS", "20000", "Connections of clients in all.", .number = true },
	{ "PORTICO_UPSTREAM_CONNECTIONS", "64", "Connections to one service in all.", .number = true },
	{ "PORTICO_UPSTREAM_QUEUE", "1024", "Requests that may wait for one service in all.", .number = true },
	{ "PORTICO_QUEUE_WAIT_MS", "1000", "How long such a request waits before 503.", .number = true },
	{ "PORTICO_CONNECT_TIMEOUT_MS", "1000", "For a connection to a service.", .number = true },
	{ "PORTICO_HEADER_TIMEOUT", "10", "Seconds for the head of a request.", .number = true },
	{ "PORTICO_IDLE_TIMEOUT", "75", "Seconds a connection may be idle between requests.", .number = true },
	{ "PORTICO_BODY_TIMEOUT", "30",
		"Seconds between two pieces of a request's body, which comes with 4 kB a second at least.",
		.number = true },
	{ "PORTICO_WRITE_TIMEOUT", "30", "Seconds for a client to take a piece of the answer.", .number = true },
	{ 0 },
};

const struct setting *const gateway_settings[] = { own_settings, NULL };

__attribute__((format(printf, 1, 2))) static bool wrong(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return false;
}

/* Splits "host:port" or "[host]:port". */
static bool split_address(const char *text, char *host, size_t host_size, char port[6])
{
	const char *colon = strrchr(text, ':'), *start = text, *end = colon;

	if (!colon || colon == text || strlen(colon + 1) == 0 || strlen(colon + 1) > 5 ||
		strspn(colon + 1, "0123456789") != strlen(colon + 1))
		return false;
	if (*text == '[') {
		start = text + 1;
		end = colon - 1;
		if (*end != ']')
			return false;
	}
	if (end <= start || (size_t)(end - start) >= host_size)
		return false;
	memcpy(host, start, (size_t)(end - start));
	host[end - start] = '\0';
	strcpy(port, colon + 1);
	return true;
}

bool endpoint_parse(const char *text, struct endpoint *ret_endpoint)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM }, *found;
	char host[256], port[6];

	if (!split_address(text, host, sizeof(host), port) || getaddrinfo(host, port, &hints, &found) != 0)
		return false;
	memcpy(&ret_endpoint->address, found->ai_addr, found->ai_addrlen);
	ret_endpoint->length = found->ai_addrlen;
	freeaddrinfo(found);
	return true;
}

/* host:port, also written as http://host:port */
static bool add_replica(struct upstream_service *service, const char *text)
{
	struct replica *replica = &service->replicas[service->replica_count];

	if (strncmp(text, "http://", 7) == 0)
		text += 7;
	if (service->replica_count == MAX_REPLICAS ||
		!split_address(text, replica->host, sizeof(replica->host), replica->port))
		return false;
	pthread_mutex_init(&replica->lock, NULL);
	service->replica_count++;
	return true;
}

/* name=address|address */
static bool add_service(struct gateway *gateway, char *text)
{
	struct upstream_service *service = &gateway->services[gateway->service_count];
	char *addresses = strchr(text, '='), *rest = NULL;

	if (!addresses || gateway->service_count == MAX_SERVICES ||
		(size_t)(addresses - text) >= sizeof(service->name) || addresses == text)
		return wrong("PORTICO_UPSTREAMS: \"%s\" is not name=host:port", text);
	*addresses++ = '\0';
	strcpy(service->name, text);
	for (char *address = strtok_r(addresses, "|", &rest); address; address = strtok_r(NULL, "|", &rest)) {
		if (!add_replica(service, address))
			return wrong("PORTICO_UPSTREAMS: \"%s\" of %s is not host:port", address, service->name);
	}
	if (!service->replica_count)
		return wrong("PORTICO_UPSTREAMS: %s has no address", service->name);
	gateway->service_count++;
	return true;
}

static bool read_upstreams(struct gateway *gateway)
{
	char *text = strdup(config("PORTICO_UPSTREAMS")), *rest = NULL;
	bool right = text != NULL;

	for (char *entry = right ? strtok_r(text, ",", &rest) : NULL; entry && right;
		entry = strtok_r(NULL, ",", &rest))
		right = add_service(gateway, entry);
	free(text);
	if (right && !gateway->service_count)
		return wrong("PORTICO_UPSTREAMS names no service");
	return right;
}

static bool read_origins(struct gateway *gateway)
{
	char *text = strdup(config("PORTICO_CORS_ORIGINS")), *rest = NULL;

	gateway->origins_text = text;
	for (char *origin = text ? strtok_r(text, ", ", &rest) : NULL; origin; origin = strtok_r(NULL, ", ", &rest)) {
		if (gateway->origin_count == MAX_ORIGINS || !strstr(origin, "://") || origin[strlen(origin) - 1] == '/')
			return wrong("PORTICO_CORS_ORIGINS: \"%s\" is not an origin like https://example.it", origin);
		gateway->origins[gateway->origin_count++] = origin;
	}
	return true;
}

/* A number that is one setting for all workers, as the share of one. */
static unsigned share(const struct gateway *gateway, const char *name)
{
	unsigned long each = ((unsigned long)config_number(name) + gateway->workers - 1) / gateway->workers;

	return each ? (unsigned)each : 1;
}

static void read_numbers(struct gateway *gateway)
{
	long workers = config_number("PORTICO_WORKERS");

	if (workers == 0)
		workers = sysconf(_SC_NPROCESSORS_ONLN);
	gateway->workers = workers < 1 ? 1 : workers > MAX_WORKERS ? MAX_WORKERS : (unsigned)workers;
	gateway->limit_address = (uint32_t)config_number("PORTICO_LIMIT_ADDRESS");
	gateway->limit_caller = (uint32_t)config_number("PORTICO_LIMIT_CALLER");
	gateway->max_connections = share(gateway, "PORTICO_MAX_CONNECTIONS");
	gateway->upstream_connections = share(gateway, "PORTICO_UPSTREAM_CONNECTIONS");
	gateway->upstream_queue = share(gateway, "PORTICO_UPSTREAM_QUEUE");
	gateway->queue_wait = config_number("PORTICO_QUEUE_WAIT_MS");
	gateway->connect_timeout = config_number("PORTICO_CONNECT_TIMEOUT_MS");
	gateway->header_timeout = config_number("PORTICO_HEADER_TIMEOUT") * 1000;
	gateway->idle_timeout = config_number("PORTICO_IDLE_TIMEOUT") * 1000;
	gateway->body_timeout = config_number("PORTICO_BODY_TIMEOUT") * 1000;
	gateway->write_timeout = config_number("PORTICO_WRITE_TIMEOUT") * 1000;
}

bool gateway_read_settings(struct gateway *gateway)
{
	const char *metrics = config("PORTICO_METRICS_LISTEN");

	read_numbers(gateway);
	gateway->token_rules = (struct token_rules){ config("PORTICO_ISSUER"), config("PORTICO_AUDIENCE") };
	gateway->jwks_url = config("PORTICO_JWKS_URL");
	gateway->access_log = config("PORTICO_ACCESS_LOG");
	if (!endpoint_parse(config("PORTICO_LISTEN"), &gateway->listen))
		return wrong("PORTICO_LISTEN: \"%s\" is not address:port", config("PORTICO_LISTEN"));
	if (*metrics && !endpoint_parse(metrics, &gateway->metrics_listen))
		return wrong("PORTICO_METRICS_LISTEN: \"%s\" is not address:port", metrics);
	if (gateway->limit_address > 1000000 || gateway->limit_caller > 1000000)
		return wrong("PORTICO_LIMIT_ADDRESS and PORTICO_LIMIT_CALLER are at most 1000000 a minute");
	if (!auth_start(config("PORTICO_CALLER_KEY")))
		return wrong("PORTICO_CALLER_KEY must have 32 to 256 characters");
	return read_upstreams(gateway) && read_origins(gateway);
}

bool gateway_load_routes(struct gateway *gateway)
{
	const char *names[MAX_SERVICES];
	char *error = NULL;

	for (size_t i = 0; i < gateway->service_count; i++)
		names[i] = gateway->services[i].name;
	gateway->routes = routes_new(config("PORTICO_CONTRACTS"), names, gateway->service_count, &error);
	if (gateway->routes)
		return true;
	wrong("%s", error ? error : "the contracts cannot be read");
	free(error);
	return false;
}

void gateway_free(struct gateway *gateway)
{
	routes_free(gateway->routes);
	limits_free(gateway->limits);
	free(gateway->origins_text);
}
