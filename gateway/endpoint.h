/* Addresses of sockets, as settings write them and as the kernel wants them. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <netinet/in.h>
#include <sys/socket.h>

enum { ENDPOINT_TEXT = INET6_ADDRSTRLEN + 9 };

struct endpoint {
	struct sockaddr_storage address;
	socklen_t length; /* 0: not known */
};

/* Splits "host:port" or "[host]:port"; port is digits. False when it is neither, or the host has no room. */
bool endpoint_split(const char *text, char *host, size_t host_size, char port[6]);

/* "127.0.0.1:8080" or "[::1]:8080". */
bool endpoint_parse(const char *text, struct endpoint *ret_endpoint);

/* Asks the resolver, which may take a while: how many of its addresses were found, at most max. */
size_t endpoint_resolve(const char *host, const char *port, struct endpoint *found, size_t max);

/* As endpoint_parse() takes it, without the name of an IPv6 zone. */
void endpoint_write(const struct endpoint *endpoint, char text[ENDPOINT_TEXT]);
