/* Addresses as a caller's: an IPv4 address is the same one whether it came to an IPv4 or to an IPv6 socket. */
#include "peer.h"
#include <arpa/inet.h>
#include <string.h>
#include "fingerprint.h"

static struct peer peer_of_ipv4(const struct in_addr *address)
{
	struct peer peer = { .key = fingerprint('a', address, 4), .this_host = (ntohl(address->s_addr) >> 24) == 127 };

	inet_ntop(AF_INET, address, peer.address, sizeof(peer.address));
	return peer;
}

static struct peer peer_of_ipv6(const struct in6_addr *address)
{
	struct peer peer = { .key = fingerprint('a', address, 8), .this_host = IN6_IS_ADDR_LOOPBACK(address) };

	inet_ntop(AF_INET6, address, peer.address, sizeof(peer.address));
	return peer;
}

struct peer peer_of(const struct sockaddr_storage *address)
{
	const struct in6_addr *in6 = &((const struct sockaddr_in6 *)address)->sin6_addr;
	struct in_addr mapped;

	if (address->ss_family == AF_INET)
		return peer_of_ipv4(&((const struct sockaddr_in *)address)->sin_addr);
	if (!IN6_IS_ADDR_V4MAPPED(in6))
		return peer_of_ipv6(in6);
	memcpy(&mapped, &in6->s6_addr[12], sizeof(mapped));
	return peer_of_ipv4(&mapped);
}
