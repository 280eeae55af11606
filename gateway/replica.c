/* Names to replicas: which addresses keep their place, which ones are new, which ones are gone. */
#include "replica.h"
#include <stdio.h>
#include <string.h>
#include "log.h"

void service_init(struct upstream_service *service, const char *name)
{
	strcpy(service->name, name);
	for (size_t i = 0; i < MAX_REPLICAS; i++)
		pthread_mutex_init(&service->replicas[i].lock, NULL);
}

bool service_add_name(struct upstream_service *service, const char *text)
{
	struct replica_name *name = &service->names[service->name_count];

	bool secure = strncmp(text, "https://", 8) == 0;

	if (secure)
		text += 8;
	else if (strncmp(text, "http://", 7) == 0)
		text += 7;
	if (service->name_count && secure != service->secure)
		return false;
	service->secure = secure;
	if (service->name_count == MAX_NAMES || !endpoint_split(text, name->host, sizeof(name->host), name->port))
		return false;
	if (!service->name_count)
		snprintf(service->host, sizeof(service->host), "%s", text);
	service->name_count++;
	return true;
}

static bool has_address(const struct replica *replica, const char *address)
{
	return replica_state(replica) != REPLICA_ABSENT && strcmp(replica->address, address) == 0;
}

static bool is_among(const struct replica *replica, const struct endpoint *found, size_t count)
{
	char address[ENDPOINT_TEXT];

	for (size_t i = 0; i < count; i++) {
		endpoint_write(&found[i], address);
		if (has_address(replica, address))
			return true;
	}
	return false;
}

static struct replica *free_place(struct upstream_service *service)
{
	for (size_t i = 0; i < MAX_REPLICAS; i++) {
		if (replica_state(&service->replicas[i]) == REPLICA_ABSENT)
			return &service->replicas[i];
	}
	if (!service->overfull)
		log_warning("a service has more addresses than there are places", "{s:s s:i}", "service", service->name,
			"places", MAX_REPLICAS);
	service->overfull = true;
	return NULL;
}

/* Nothing is sent there before health.c has found it ready. */
static void place(struct upstream_service *service, const struct endpoint *endpoint, unsigned name)
{
	char address[ENDPOINT_TEXT];
	struct replica *replica;

	endpoint_write(endpoint, address);
	for (size_t i = 0; i < MAX_REPLICAS; i++) {
		if (has_address(&service->replicas[i], address))
			return;
	}
	replica = free_place(service);
	if (!replica)
		return;
	pthread_mutex_lock(&replica->lock);
	replica->endpoint = *endpoint;
	strcpy(replica->address, address);
	replica->name = name;
	replica->failed_looks = 0;
	atomic_fetch_add(&replica->generation, 1);
	atomic_store(&replica->state, REPLICA_UNREACHABLE);
	pthread_mutex_unlock(&replica->lock);
	if (service->places <= (size_t)(replica - service->replicas))
		service->places = (size_t)(replica - service->replicas) + 1;
}

/* What is under way there is finished; its place is for another address from now on. */
static void retire(struct replica *replica)
{
	pthread_mutex_lock(&replica->lock);
	atomic_store(&replica->state, REPLICA_ABSENT);
	pthread_mutex_unlock(&replica->lock);
}

void service_resolve(struct upstream_service *service)
{
	for (unsigned name = 0; name < service->name_count; name++) {
		struct endpoint found[MAX_REPLICAS];
		size_t count =
			endpoint_resolve(service->names[name].host, service->names[name].port, found, MAX_REPLICAS);

		for (size_t i = 0; count && i < service->places; i++) {
			struct replica *replica = &service->replicas[i];

			if (replica->name == name && !is_among(replica, found, count))
				retire(replica);
		}
		for (size_t i = 0; i < count; i++)
			place(service, &found[i], name);
	}
}

bool service_ready(const struct upstream_service *service)
{
	for (size_t i = 0; i < service->places; i++) {
		if (replica_state(&service->replicas[i]) == REPLICA_READY)
			return true;
	}
	return false;
}
