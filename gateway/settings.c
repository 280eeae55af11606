/* The settings of the gateway and how they become struct gateway. Says in one sentence what is wrong and where. */
#include "gateway.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "config.h"
#include "fingerprint.h"
#include "rules.h"

static const struct setting own_settings[] = {
	{ "PORTICO_LISTEN", "127.0.0.1:8080", "Address and port of the public listener." },
	{ "PORTICO_TLS_LISTEN", "", "Address and port for TLS (HTTP/1.1 and HTTP/2). Empty: none." },
	{ "PORTICO_TLS_CERTIFICATES", "",
		"Folder of NAME.pem, each a key with its chain; chosen by host name, the first one for any other. Read "
		"anew on SIGHUP." },
	{ "PORTICO_HSTS", "31536000", "Seconds in Strict-Transport-Security over TLS; 0: not sent.", .number = true },
	{ "PORTICO_METRICS_LISTEN", "",
		"Address and port of /metrics. Empty: on the public listener, for callers from this machine only." },
	{ "PORTICO_UPSTREAMS", NULL, "The services: identity=host:port|host:port,dossier=… (each has its contract)." },
	{ "PORTICO_CONTRACTS", "openapi", "Folder of the contracts; those of partners are in its folder partners." },
	{ "PORTICO_PARTNER_CA", "",
		"PEM file of the authorities that partners' back ends over https are known by. Empty: the system's." },
	{ "PORTICO_PARTNER_KEYS", "",
		"Folder with the keys of partners, NAME.key for partners/NAME.yaml: signs the caller header that it "
		"gets." },
	{ "PORTICO_ISSUER", "http://127.0.0.1:8080/identity/v1", "Claim iss of the access tokens." },
	{ "PORTICO_AUDIENCE", "portico", "Claim aud of the access tokens." },
	{ "PORTICO_JWKS_URL", "http://127.0.0.1:8101/identity/v1/jwks.json", "Where identity publishes its keys." },
	{ "PORTICO_REVOCATIONS_URL", "http://127.0.0.1:8101/identity/v1/revocations",
		"Where identity tells what was revoked. Empty: it is not asked." },
	{ "PORTICO_CALLER_KEY", NULL, "Key of the caller header, shared with the services.", .secret = true },
	{ "PORTICO_WORKERS", "0", "Worker threads; 0: one per core.", .number = true },
	{ "PORTICO_CORS_ORIGINS", "", "Origins of front ends that browsers may call from, by comma." },
	{ "PORTICO_ACCESS_LOG", "-", "File of the access log; -: standard output; off: none." },
	{ "PORTICO_ACCESS_LOG_SAMPLE", "1",
		"Of so many requests that went well one is in the access log; what failed or took a second is always.",
		.number = true },
	{ "PORTICO_LOG_LEVEL", "info", "error, warning, info or debug." },
	{ "PORTICO_LIMIT_ADDRESS", "12000", "Requests a minute from one address; 0: no limit.", .number = true },
	{ "PORTICO_LIMIT_FORGED", "600", "Tokens with a wrong signature a minute from one address; 0: no limit.",
		.number = true },
	{ "PORTICO_LIMIT_CALLER", "3000",
		"Requests a minute of one person, or of one client that acts for itself; 0: no limit.",
		.number = true },
	{ "PORTICO_LIMIT_CLIENT", "0", "Requests a minute of one client for all the persons that use it; 0: no limit.",
		.number = true },
	{ "PORTICO_LIMIT_TENANT", "60000",
		"Requests a minute of all operators and partners of one tenant; 0: no limit.", .number = true },
	{ "PORTICO_REDIS", "",
		"Redis (host:port) over which the replicas share these limits. Empty: each has its own." },
	{ "PORTICO_LIMITS", "",
		"YAML file of other limits for those it names, like clients: {acquedotto: 600} and tenants: "
		"{c_a944: 0}, in requests a minute; 0: no limit. Read anew on SIGHUP." },
	{ "PORTICO_MAX_CONNECTIONS", "20000", "Connections of clients in all.", .number = true },
	{ "PORTICO_ADDRESS_CONNECTIONS", "1000",
		"Connections from one address (IPv6: one /64); 0: no limit. Shared out among the workers like the "
		"rest.",
		.number = true },
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
	gateway->address_connections =
		config_number("PORTICO_ADDRESS_CONNECTIONS") ? share(gateway, "PORTICO_ADDRESS_CONNECTIONS") : 0;
	gateway->max_connections = share(gateway, "PORTICO_MAX_CONNECTIONS");
	gateway->upstream_connections = share(gateway, "PORTICO_UPSTREAM_CONNECTIONS");
	gateway->upstream_queue = share(gateway, "PORTICO_UPSTREAM_QUEUE");
	gateway->queue_wait = config_number("PORTICO_QUEUE_WAIT_MS");
	gateway->connect_timeout = config_number("PORTICO_CONNECT_TIMEOUT_MS");
	gateway->hsts = (unsigned)config_number("PORTICO_HSTS");
	gateway->header_timeout = config_number("PORTICO_HEADER_TIMEOUT") * 1000;
	gateway->idle_timeout = config_number("PORTICO_IDLE_TIMEOUT") * 1000;
	gateway->body_timeout = config_number("PORTICO_BODY_TIMEOUT") * 1000;
	gateway->write_timeout = config_number("PORTICO_WRITE_TIMEOUT") * 1000;
}

bool gateway_read_settings(struct gateway *gateway)
{
	const char *metrics = config("PORTICO_METRICS_LISTEN"), *tls = config("PORTICO_TLS_LISTEN");

	pthread_mutex_init(&gateway->rules_lock, NULL);
	read_numbers(gateway);
	gateway->token_rules = (struct token_rules){ config("PORTICO_ISSUER"), config("PORTICO_AUDIENCE") };
	gateway->jwks_url = config("PORTICO_JWKS_URL");
	gateway->access_log = config("PORTICO_ACCESS_LOG");
	gateway->access_log_sample = (unsigned)config_number("PORTICO_ACCESS_LOG_SAMPLE");
	if (!endpoint_parse(config("PORTICO_LISTEN"), &gateway->listen))
		return wrong("PORTICO_LISTEN: \"%s\" is not address:port", config("PORTICO_LISTEN"));
	if (*tls && !endpoint_parse(tls, &gateway->tls_listen))
		return wrong("PORTICO_TLS_LISTEN: \"%s\" is not address:port", tls);
	if (*metrics && !endpoint_parse(metrics, &gateway->metrics_listen))
		return wrong("PORTICO_METRICS_LISTEN: \"%s\" is not address:port", metrics);
	if (!auth_start(config("PORTICO_CALLER_KEY")))
		return wrong("PORTICO_CALLER_KEY must have 32 to 256 characters");
	fingerprint_start(config("PORTICO_CALLER_KEY"));
	return read_origins(gateway);
}

void gateway_free(struct gateway *gateway)
{
	rules_release(gateway->rules);
	limits_free(gateway->limits);
	free(gateway->origins_text);
}
