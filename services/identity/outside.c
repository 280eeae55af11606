/* Owns outside calls whose address somebody else chose. The check is made on the socket's address, after the name was
 * resolved and before a byte is sent, so a name that resolves anew in between gains nothing. */
#include "outside.h"
#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "client.h"
#include "config.h"

enum { TIMEOUT_MS = 5000, CONNECT_TIMEOUT_MS = 2000, MOST_OF_ANSWER = 65536 };

const char callbacks_inside_setting[] = "PORTICO_CALLBACKS_INSIDE";

/* IANA's special-purpose registries (RFC 6890 and successors). */
static const struct {
	uint32_t network, mask;
} not_public[] = { { 0x00000000, 0xff000000 }, { 0x0a000000, 0xff000000 }, { 0x64400000, 0xffc00000 },
	{ 0x7f000000, 0xff000000 }, { 0xa9fe0000, 0xffff0000 }, { 0xac100000, 0xfff00000 }, { 0xc0000000, 0xffffff00 },
	{ 0xc0000200, 0xffffff00 }, { 0xc0586300, 0xffffff00 }, { 0xc0a80000, 0xffff0000 }, { 0xc6120000, 0xfffe0000 },
	{ 0xc6336400, 0xffffff00 }, { 0xcb007100, 0xffffff00 }, { 0xe0000000, 0xe0000000 } };

static bool is_public_v4(uint32_t address)
{
	for (size_t i = 0; i < sizeof not_public / sizeof *not_public; i++) {
		if ((address & not_public[i].mask) == not_public[i].network)
			return false;
	}
	return true;
}

/* Only global unicast, 2000::/3; of that neither Teredo, documentation and the like (2001::/23, 2001:db8::/32,
 * 3fff::/20) nor 6to4 (2002::/16), which wraps an IPv4 address. */
static bool is_public_v6(const unsigned char *a)
{
	return (a[0] & 0xe0) == 0x20 && !(a[0] == 0x20 && a[1] == 0x01 && (a[2] & 0xfe) == 0) &&
	       !(a[0] == 0x20 && a[1] == 0x01 && a[2] == 0x0d && a[3] == 0xb8) && !(a[0] == 0x20 && a[1] == 0x02) &&
	       !(a[0] == 0x3f && a[1] == 0xff && (a[2] & 0xf0) == 0);
}

bool is_public_address(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET)
		return is_public_v4(ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr));
	return address->sa_family == AF_INET6 &&
	       is_public_v6(((const struct sockaddr_in6 *)(const void *)address)->sin6_addr.s6_addr);
}

static bool inside_allowed(void)
{
	return config_number(callbacks_inside_setting) != 0;
}

static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
	bool *refused = context;

	if (!inside_allowed() && !is_public_address(&address->addr)) {
		*refused = true;
		return CURL_SOCKET_BAD;
	}
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static size_t discard(char *data, size_t size, size_t count, void *context)
{
	size_t *left = context, length = size * count;

	if (length > *left)
		return 0;
	*left -= length;
	return length;
}

static void prepare(CURL *curl, const char *url, const char *form, struct curl_slist *headers)
{
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, inside_allowed() ? "http,https" : "https");
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	/* A connection that is open already was not checked here. */
	curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(curl, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)TIMEOUT_MS);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_POSTFIELDS, form);
}

int outside_post(const char *url, const char *form, const char **ret_error)
{
	CURL *curl = client_handle();
	struct curl_slist *headers = curl_slist_append(NULL, "Expect:");
	size_t left = MOST_OF_ANSWER;
	bool refused = false;
	long status = 0;
	CURLcode code;

	prepare(curl, url, form, headers);
	curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, &refused);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, discard);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &left);
	code = curl_easy_perform(curl);
	curl_slist_free_all(headers);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	*ret_error = refused ? "the address is not on the public internet" : curl_easy_strerror(code);
	return code == CURLE_OK ? (int)status : 0;
}
