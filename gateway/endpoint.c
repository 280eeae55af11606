/* Text to socket addresses, and back. */
#include "endpoint.h"
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

bool endpoint_split(const char *text, char *host, size_t host_size, char port[6])
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

static size_t look_up(const char *host, const char *port, int flags, struct endpoint *found, size_t max)
{
	struct addrinfo hints = { .ai_flags = flags | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM }, *first;
	size_t count = 0;

	if (getaddrinfo(host, port, &hints, &first) != 0)
		return 0;
	for (const struct addrinfo *one = first; one && count < max; one = one->ai_next) {
		memcpy(&found[count].address, one->ai_addr, one->ai_addrlen);
		found[count++].length = one->ai_addrlen;
	}
	freeaddrinfo(first);
	return count;
}

bool endpoint_parse(const char *text, struct endpoint *ret_endpoint)
{
	char host[256], port[6];

	return endpoint_split(text, host, sizeof(host), port) &&
	       look_up(host, port, AI_NUMERICHOST, ret_endpoint, 1) == 1;
}

size_t endpoint_resolve(const char *host, const char *port, struct endpoint *found, size_t max)
{
	return look_up(host, port, 0, found, max);
}

void endpoint_write(const struct endpoint *endpoint, char text[ENDPOINT_TEXT])
{
	const struct sockaddr *address = (const struct sockaddr *)&endpoint->address;
	bool ipv6 = address->sa_family == AF_INET6;
	char host[INET6_ADDRSTRLEN] = "";
	uint16_t port;

	if (ipv6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;

		inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
		port = ntohs(in6->sin6_port);
	} else {
		const struct sockaddr_in *in = (const struct sockaddr_in *)address;

		inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
		port = ntohs(in->sin_port);
	}
	snprintf(text, ENDPOINT_TEXT, ipv6 ? "[%s]:%u" : "%s:%u", host, (unsigned)port);
}
