/* Owns the judgement on addresses. The URL is read by the parser that will also be used to call it. */
#include "destination.h"
#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include "scope.h"

enum { NETWORKS_MAX = 32 };

struct network {
	int family;
	unsigned char base[16];
	int bits;
};

static struct network listed[NETWORKS_MAX];
static int listed_count;

/* IANA's special-purpose registries (RFC 6890 and its successors), and multicast. Of IPv6 only 2000::/3 is the
 * Internet; what carries an IPv4 address inside (6to4, NAT64, Teredo) is refused with the rest, v4-mapped is judged by
 * what it carries.
 */
static const char *const special[] = { "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
	"172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
	"198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20" };
static const char internet[] = "2000::/3";

static bool read_network(const char *text, struct network *network)
{
	auto_free char *base = strdup(text);
	char *slash = base ? strchr(base, '/') : NULL, *end = NULL;
	int most;

	*network = (struct network){ .family = base && strchr(base, ':') ? AF_INET6 : AF_INET };
	most = network->family == AF_INET6 ? 128 : 32;
	if (slash)
		*slash = '\0';
	network->bits = slash ? (int)strtol(slash + 1, &end, 10) : most;
	return base && inet_pton(network->family, base, network->base) == 1 && network->bits >= 0 &&
	       network->bits <= most && (!end || (!*end && end != slash + 1));
}

static bool within(const struct network *network, int family, const unsigned char *address)
{
	int bytes = network->bits / 8, rest = network->bits % 8;
	unsigned char mask = (unsigned char)(0xFF << (8 - rest));

	return network->family == family && memcmp(network->base, address, (size_t)bytes) == 0 &&
	       (!rest || ((network->base[bytes] ^ address[bytes]) & mask) == 0);
}

static bool within_text(const char *text, int family, const unsigned char *address)
{
	struct network network;

	return read_network(text, &network) && within(&network, family, address);
}

bool destination_networks(const char *list)
{
	auto_free char *copy = strdup(list);
	char *rest = NULL;

	listed_count = 0;
	for (char *entry = copy ? strtok_r(copy, ", ", &rest) : NULL; entry; entry = strtok_r(NULL, ", ", &rest)) {
		if (listed_count == NETWORKS_MAX || !read_network(entry, &listed[listed_count++]))
			return false;
	}
	return copy != NULL;
}

static bool is_listed(int family, const unsigned char *address)
{
	for (int i = 0; i < listed_count; i++) {
		if (within(&listed[i], family, address))
			return true;
	}
	return false;
}

static bool is_special(int family, const unsigned char *address)
{
	for (size_t i = 0; i < sizeof special / sizeof *special; i++) {
		if (within_text(special[i], family, address))
			return true;
	}
	return family == AF_INET6 && !within_text(internet, family, address);
}

static bool allowed(int family, const unsigned char *address, bool encrypted)
{
	static const unsigned char mapped[12] = { [10] = 0xFF, [11] = 0xFF };

	if (family == AF_INET6 && memcmp(address, mapped, sizeof mapped) == 0)
		return allowed(AF_INET, address + sizeof mapped, encrypted);
	return is_listed(family, address) || (encrypted && !is_special(family, address));
}

bool destination_allowed(const struct sockaddr *address, bool encrypted)
{
	if (address->sa_family == AF_INET)
		return allowed(AF_INET,
			(const unsigned char *)&((const struct sockaddr_in *)(const void *)address)->sin_addr,
			encrypted);
	if (address->sa_family == AF_INET6)
		return allowed(AF_INET6,
			(const unsigned char *)&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr,
			encrypted);
	return false;
}

static void free_url(CURLU **url)
{
	curl_url_cleanup(*url);
}

static char *part(CURLU *url, CURLUPart which)
{
	char *text = NULL;

	return curl_url_get(url, which, &text, 0) == CURLUE_OK ? text : NULL;
}

static void free_part(char **text)
{
	curl_free(*text);
}
#define auto_part __attribute__((cleanup(free_part)))

/* A host that is an address, in whatever way it was written: the parser has made 0x7f.1 into 127.0.0.1. */
static bool literal_refused(const char *host, bool encrypted)
{
	unsigned char address[16];
	auto_free char *bare = strdup(host + (*host == '['));

	if (!bare)
		return true;
	bare[strcspn(bare, "]%")] = '\0';
	if (inet_pton(AF_INET, bare, address) == 1)
		return !allowed(AF_INET, address, encrypted);
	return inet_pton(AF_INET6, bare, address) == 1 && !allowed(AF_INET6, address, encrypted);
}

const char *destination_problem(const char *text)
{
	CURLU *url __attribute__((cleanup(free_url))) = curl_url();
	bool encrypted;

	for (const char *c = text; *c; c++) {
		if ((unsigned char)*c <= 0x20 || (unsigned char)*c >= 0x7F || *c == '\\')
			return "The address has a character that must be escaped.";
	}
	if (!url || curl_url_set(url, CURLUPART_URL, text, 0) != CURLUE_OK)
		return "The address cannot be understood.";
	auto_part char *scheme = part(url, CURLUPART_SCHEME);
	auto_part char *host = part(url, CURLUPART_HOST);
	auto_part char *user = part(url, CURLUPART_USER);
	auto_part char *password = part(url, CURLUPART_PASSWORD);
	auto_part char *fragment = part(url, CURLUPART_FRAGMENT);
	if (!scheme || !host || !*host)
		return "The address cannot be understood.";
	encrypted = strcmp(scheme, "https") == 0;
	if (!encrypted && (strcmp(scheme, "http") != 0 || !listed_count))
		return "The address must begin with https://.";
	if (user || password)
		return "The address must not hold a user name or a password.";
	if (fragment)
		return "The address must not have a fragment.";
	if (literal_refused(host, encrypted))
		return "Addresses of private, local and other special networks are refused.";
	return NULL;
}
