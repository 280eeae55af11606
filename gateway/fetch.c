/* libcurl, one handle a fetcher. Redirects are not followed, no proxy is asked. */
#include "fetch.h"
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FIELD = 1000 };

struct fetcher {
	CURL *curl;
	char *caller; /* the header's value */
	size_t length;
	char text[FETCH_MAX];
};

struct fetcher *fetcher_new(const struct caller *caller)
{
	struct fetcher *fetcher = calloc(1, sizeof(*fetcher));

	if (!fetcher || !(fetcher->curl = curl_easy_init()))
		abort();
	fetcher->caller = auth_caller_dup(caller);
	return fetcher;
}

void fetcher_free(struct fetcher *fetcher)
{
	if (!fetcher)
		return;
	curl_easy_cleanup(fetcher->curl);
	free(fetcher->caller);
	free(fetcher);
}

static size_t take(char *bytes, size_t size, size_t count, void *context)
{
	struct fetcher *fetcher = context;

	if (count > FETCH_MAX - fetcher->length)
		return 0;
	memcpy(fetcher->text + fetcher->length, bytes, size * count);
	fetcher->length += count;
	return count;
}

static struct curl_slist *caller_fields(const struct fetcher *fetcher, const char *url)
{
	const char *authority = strstr(url, "://"), *path = authority ? strchr(authority + 3, '/') : NULL;
	char field[MAX_FIELD], signature[AUTH_SIGNATURE_MAX];
	struct curl_slist *fields;

	path = path ? path : "/";
	auth_sign(NULL, fetcher->caller, strlen(fetcher->caller), "GET", path, strcspn(path, "?"), signature);
	snprintf(field, sizeof(field), "Portico-Caller: %s", fetcher->caller);
	fields = curl_slist_append(NULL, field);
	snprintf(field, sizeof(field), "Portico-Signature: %s", signature);
	return curl_slist_append(fields, field);
}

const char *fetcher_get(
	struct fetcher *fetcher, const char *url, long timeout_ms, const char **ret_text, size_t *ret_length)
{
	struct curl_slist *fields = caller_fields(fetcher, url);
	CURL *curl = fetcher->curl;
	CURLcode code;
	long status = 0;

	fetcher->length = 0;
	curl_easy_reset(curl); /* the connection stays */
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, fields);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, fetcher);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, timeout_ms);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	code = curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	curl_slist_free_all(fields);
	*ret_text = fetcher->text;
	*ret_length = fetcher->length;
	if (code != CURLE_OK)
		return curl_easy_strerror(code);
	return status == 200 ? NULL : "the answer is not 200";
}
