/* Who is at the other end of a connection, as far as the network tells. */
#pragma once
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct peer {
	char address[INET6_ADDRSTRLEN];
	uint64_t key;	/* of the address; IPv6 networks of /64 count as one, since a client has all of it */
	bool this_host; /* 127.0.0.0/8 or ::1 */
};

struct peer peer_of(const struct sockaddr_storage *address);
