/* Where webhooks may go. A subscriber names the address, so it must not lead to what only we can reach: private, local
 * and special networks are refused, unless the operator lists them in PORTICO_WEBHOOK_NETWORKS. */
#pragma once
#include <stdbool.h>
#include <sys/socket.h>

/* Reads "10.1.0.0/16,fd00::/8". False: it is none. */
bool destination_networks(const char *list);

/* What is wrong with the address of an endpoint, in a sentence; NULL: nothing that can be seen without asking for the
 * address of its name. */
const char *destination_problem(const char *url);

/* Whether a connection may be opened there. Asked with the very address that is connected to, so a name that means
 * something else the second time does not matter. Unencrypted only into the listed networks. */
bool destination_allowed(const struct sockaddr *address, bool encrypted);
