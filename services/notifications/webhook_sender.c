/* Owns the network side of webhooks: one thread, as many attempts at once as the hooks allow. Never waits for the
 * database, so an attempt's latency is the endpoint's. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "db_connection.h"
#include "destination.h"
#include "metrics.h"
#include "service.h"
#include "tasks.h"
#include "webhook.h"

enum {
	AT_ONCE = 512,
	CONNECT_MS = 5000,
	WHOLE_MS = 10000,
	ANSWER_MAX = 65536,
	RUN_MS = 1000,
	IDLE_HANDLES = 64,
	DNS_SECONDS = 10
};

static CURLM *multi;
static CURL *idle[IDLE_HANDLES];
static int idle_count, flying;

bool sender_start(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
	multi = curl_multi_init();
	return multi && destination_networks(config("PORTICO_WEBHOOK_NETWORKS"));
}

void sender_wake(void)
{
	curl_multi_wakeup(multi);
}

/* The address is the one that is connected to now, whatever the name meant before. */
static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct call *call = context;

	if (!destination_allowed(&address->addr, call->encrypted)) {
		call->refused = true;
		return CURL_SOCKET_BAD;
	}
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* Nobody reads the answer; a long one is cut off. */
static size_t pass_by(char *data, size_t size, size_t count, void *context)
{
	struct call *call = context;

	call->answered += size * count;
	return call->answered <= ANSWER_MAX ? size * count : 0;
}

static void add_header(struct call *call, const char *name, const char *value)
{
	char line[512];

	snprintf(line, sizeof line, "%s: %s", name, value);
	call->headers = curl_slist_append(call->headers, line);
}

static void add_headers(struct call *call)
{
	long long seconds = (long long)call->began;
	char *signature = webhook_signature(call->hook, call->id, seconds, call->body), timestamp[24];

	snprintf(timestamp, sizeof timestamp, "%lld", seconds);
	add_header(call, "Content-Type", "application/cloudevents+json");
	add_header(call, "webhook-id", call->id);
	add_header(call, "webhook-timestamp", timestamp);
	add_header(call, "webhook-signature", signature);
	call->headers = curl_slist_append(call->headers, "Expect:");
	free(signature);
}

static void prepare(struct call *call)
{
	CURL *curl = call->curl;
	const char *authorities = config("PORTICO_WEBHOOK_CA");

	curl_easy_setopt(curl, CURLOPT_URL, call->hook->url);
	curl_easy_setopt(curl, CURLOPT_PRIVATE, call);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, call);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, pass_by);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, call);
	curl_easy_setopt(curl, CURLOPT_DNS_CACHE_TIMEOUT, (long)DNS_SECONDS);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)WHOLE_MS);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "Portico-Webhooks/" PORTICO_VERSION);
	curl_easy_setopt(curl, CURLOPT_POSTFIELDS, call->body);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, call->headers);
	if (*authorities)
		curl_easy_setopt(curl, CURLOPT_CAINFO, authorities);
}

/* With the lock held: the hook may change behind it. */
static void begin(struct call *call)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	call->began = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
	call->encrypted = strncasecmp(call->hook->url, "https:", 6) == 0;
	call->curl = idle_count ? idle[--idle_count] : curl_easy_init();
	if (!call->curl)
		abort();
	add_headers(call);
	prepare(call);
	curl_multi_add_handle(multi, call->curl);
	flying++;
}

/* One of each hook in turn, so that none takes all the places. */
static void begin_due(void)
{
	long long now = monotonic_ms();
	bool more = true;

	webhooks_lock();
	while (more && flying < AT_ONCE) {
		more = false;
		for (struct hook *hook = hooks; hook && flying < AT_ONCE; hook = hook->next) {
			if (!hook->first || !hook_may_send(hook, now))
				continue;
			begin(hook_take(hook));
			more = true;
		}
	}
	webhooks_unlock();
}

static const char *reason(const struct call *call, CURLcode code)
{
	if (call->refused)
		return "The address is in a private, local or special network.";
	switch (code) {
	case CURLE_COULDNT_RESOLVE_HOST:
		return "The name of the host has no address.";
	case CURLE_COULDNT_CONNECT:
		return "No connection.";
	case CURLE_OPERATION_TIMEDOUT:
		return "No answer in time.";
	case CURLE_PEER_FAILED_VERIFICATION:
		return "The certificate is not trusted.";
	case CURLE_GOT_NOTHING:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
		return "The connection ended without an answer.";
	default:
		return curl_easy_strerror(code);
	}
}

static void judge(struct call *call, CURLcode code)
{
	long status = 0;
	double seconds = 0;
	curl_off_t retry_after = 0;
	bool answered;

	curl_easy_getinfo(call->curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(call->curl, CURLINFO_TOTAL_TIME, &seconds);
	curl_easy_getinfo(call->curl, CURLINFO_RETRY_AFTER, &retry_after);
	answered = code == CURLE_OK || (code == CURLE_WRITE_ERROR && call->answered > ANSWER_MAX);
	call->latency_ms = (int)(seconds * 1000);
	call->status = answered ? (int)status : 0;
	call->ok = answered && status >= 200 && status < 300;
	call->retry_after = retry_after > 3600 ? 3600 : (int)retry_after;
	if (!answered)
		snprintf(call->error, sizeof call->error, "%s", reason(call, code));
	metrics_count("portico_webhook_attempts_total", "outcome",
		call->ok   ? "acknowledged"
		: answered ? "refused"
			   : "no-answer");
}

static void release(struct call *call)
{
	curl_multi_remove_handle(multi, call->curl);
	curl_easy_reset(call->curl);
	if (idle_count < IDLE_HANDLES)
		idle[idle_count++] = call->curl;
	else
		curl_easy_cleanup(call->curl);
	curl_slist_free_all(call->headers);
	call->curl = NULL;
	call->headers = NULL;
	flying--;
}

/* True when something has ended. */
static bool gather(void)
{
	int left;
	bool any = false;

	for (CURLMsg *message; (message = curl_multi_info_read(multi, &left));) {
		struct call *call;
		CURLcode code = message->data.result;

		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call);
		judge(call, code);
		release(call);
		webhooks_lock();
		hook_tell(call, monotonic_ms());
		webhooks_unlock();
		any = true;
	}
	if (any)
		tasks_wake("keep-webhooks");
	return any;
}

/* A second of sending; the task's runner asks for the next. */
int send_webhooks(struct request *rq)
{
	long long end = monotonic_ms() + RUN_MS, left;
	int running;

	while ((left = end - monotonic_ms()) > 0) {
		begin_due();
		curl_multi_perform(multi, &running);
		if (!gather())
			curl_multi_poll(multi, NULL, 0, (int)left, NULL);
	}
	return reply_empty(rq, 200);
}
