/* The gateway's start and end: settings, contracts, workers; then it waits for the signal to stop. */
#include <curl/curl.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>
#include "config.h"
#include "jwks.h"
#include "limit_share.h"
#include "log.h"
#include "pages.h"
#include "revocations.h"
#include "rules.h"
#include "upkeep.h"
#include "worker.h"

static const char synopsis[] =
	"[--check | --help | --version]\n\n"
	"The single point of access to the services: routes by their contracts, verifies tokens,\n"
	"limits, forwards. --check reads settings and contracts and prints the routes.";

static struct gateway gateway;
static struct worker *workers[MAX_WORKERS];

/* As many descriptors as the system lets us have: each client and each upstream connection is one. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static bool start_workers(void)
{
	int log_fd = strcmp(gateway.access_log, "off") == 0 ? -1 : access_log_open(gateway.access_log);

	if (log_fd < 0 && strcmp(gateway.access_log, "off") != 0) {
		fprintf(stderr, "PORTICO_ACCESS_LOG: cannot write %s: %s\n", gateway.access_log, strerror(errno));
		return false;
	}
	for (unsigned i = 0; i < gateway.workers; i++) {
		workers[i] = worker_new(&gateway, i == 0 && gateway.metrics_listen.length);
		if (!workers[i]) {
			fprintf(stderr, "cannot listen on %s: %s\n", config("PORTICO_LISTEN"), strerror(errno));
			return false;
		}
		access_log_start(&workers[i]->log, log_fd, gateway.access_log_sample);
	}
	pages_start(workers, gateway.workers);
	for (unsigned i = 0; i < gateway.workers; i++) {
		if (!worker_start(workers[i]))
			return false;
	}
	return true;
}

/* Another process on the same port would share its connections through SO_REUSEPORT without anybody noticing. */
static bool port_is_free(const struct endpoint *endpoint, const char *setting)
{
	int fd = socket(endpoint->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	bool is_free;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	is_free = fd >= 0 && bind(fd, (const struct sockaddr *)&endpoint->address, endpoint->length) == 0;
	if (!is_free)
		fprintf(stderr, "cannot listen on %s: %s\n", config(setting), strerror(errno));
	if (fd >= 0)
		close(fd);
	return is_free;
}

static bool load_rules(void)
{
	char *error = NULL;

	gateway.rules = rules_new(&error);
	if (!gateway.rules)
		fprintf(stderr, "%s\n", error ? error : "the contracts cannot be read");
	free(error);
	return gateway.rules != NULL;
}

static void reload(void)
{
	if (gateway_reload(&gateway))
		log_info("contracts are reloaded", "{}");
	jwks_want();
}

static int serve(void)
{
	sigset_t signals;
	int received;

	signal(SIGPIPE, SIG_IGN); /* OpenSSL writes without MSG_NOSIGNAL */
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &signals, NULL); /* inherited by the threads: only this one waits for them */
	raise_descriptor_limit();
	curl_global_init(CURL_GLOBAL_DEFAULT);
	upkeep_prepare(gateway.rules);
	if (!port_is_free(&gateway.listen, "PORTICO_LISTEN") ||
		(gateway.tls_listen.length && !port_is_free(&gateway.tls_listen, "PORTICO_TLS_LISTEN")) ||
		!revocations_start(config("PORTICO_REVOCATIONS_URL")) ||
		!limit_share_start(gateway.limits, config("PORTICO_REDIS")) || !start_workers() ||
		!upkeep_start(&gateway))
		return EX_OSERR;
	log_info("gateway is listening", "{s:s s:i}", "address", config("PORTICO_LISTEN"), "workers",
		(int)gateway.workers);
	while (sigwait(&signals, &received) == 0 && received == SIGHUP)
		reload();
	log_info("gateway is draining", "{s:i}", "signal", received);
	for (unsigned i = 0; i < gateway.workers; i++)
		worker_drain(workers[i]);
	for (unsigned i = 0; i < gateway.workers; i++)
		worker_free(workers[i]);
	upkeep_stop();
	revocations_stop();
	limit_share_stop();
	jwks_stop();
	curl_global_cleanup();
	log_info("gateway has stopped", "{}");
	return EX_OK;
}

int main(int argc, char **argv)
{
	const char *option = argc > 1 ? argv[1] : "";
	int code;

	if (strcmp(option, "--help") == 0) {
		config_help("gateway", synopsis, gateway_settings);
		return EX_OK;
	}
	if (strcmp(option, "--version") == 0)
		return puts(PORTICO_VERSION) < 0;
	if (argc > 2 || (*option && strcmp(option, "--check") != 0)) {
		fprintf(stderr, "gateway: unknown option %s (--help lists what there is)\n", argv[argc - 1]);
		return EX_USAGE;
	}
	config_load(gateway_settings);
	if (!log_start("gateway", config("PORTICO_LOG_LEVEL"))) {
		fprintf(stderr, "PORTICO_LOG_LEVEL must be error, warning, info or debug\n");
		return EX_CONFIG;
	}
	if (!gateway_read_settings(&gateway) || !load_rules())
		return EX_CONFIG;
	if (*option) {
		routes_print(gateway.rules->routes);
		code = EX_OK;
	} else {
		gateway.limits = limits_new(*config("PORTICO_REDIS") != '\0');
		code = serve();
	}
	gateway_free(&gateway);
	return code;
}
