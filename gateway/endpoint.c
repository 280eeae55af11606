/* Text to socket addresses. */
#include "endpoint.h"
#include <netdb.h>
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

static bool look_up(const char *host, const char *port, int flags, struct endpoint *ret_endpoint)
{
	struct addrinfo hints = { .ai_flags = flags | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM }, *found;

	if (getaddrinfo(host, port, &hints, &found) != 0)
		return false;
	memcpy(&ret_endpoint->address, found->ai_addr, found->ai_addrlen);
	ret_endpoint->length = found->ai_addrlen;
	freeaddrinfo(found);
	return true;
}

bool endpoint_parse(const char *text, struct endpoint *ret_endpoint)
{
	char host[256], port[6];

	return endpoint_split(text, host, sizeof(host), port) && look_up(host, port, AI_NUMERICHOST, ret_endpoint);
}

bool endpoint_resolve(const char *host, const char *port, struct endpoint *ret_endpoint)
{
	return look_up(host, port, 0, ret_endpoint);
}
