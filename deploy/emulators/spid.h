/* The parts of the emulator of SPID and CIE: the registry of each federation, and one identity provider in each. */
#pragma once
#include "emulator.h"
#include "saml.h"

/* spid_registry.c: the metadata of providers, ours and those that a test adds; and that of who asks us. */
const char *registry_entity(struct request *rq, const char *federation); /* our own provider's entityID */
int registry_show(struct request *rq, const char *federation);
bool registry_add(struct request *rq, const char *federation, const char *metadata);
void registry_reset(void);
void registry_tamper(bool on); /* from now on the lists are not what was signed */
/* What a service provider's metadata says, fetched anew: {"certificates", "consumer", "logout", "sets": [0, 1]}; NULL:
 * it cannot be had or believed. */
json_t *registry_service(struct request *rq, const char *entity);

/* spid_request.c: an AuthnRequest by the official rules. */
struct asked {
	const char *federation, *id, *service, *relay, *fault; /* fault: "nr12" and the like, for the service */
	int level, set;
	json_t *known; /* of registry_service */
};
/* False: answered with a page, because nobody can be told (message 10, signature). */
bool request_read(struct request *rq, const char *federation, struct asked *ret_asked);

/* spid_response.c */
struct said {
	const char *federation, *service, *request, *consumer, *relay, *session; /* session: its index, or NULL */
	const char *fault; /* what is wrong with the response on purpose; NULL: nothing */
	const char *error; /* "nr22": instead of a person */
	int level, set;
	const json_t *person;
};
int response_send(struct request *rq, const struct said *said);

/* spid_people.c: who can log in. */
const json_t *people_list(void);
const json_t *people_find(const char *fiscal_code);

/* spid_sessions.c: sessions of level 1 and how they end. */
const char *sessions_open(struct request *rq, const char *federation, const char *service, const char *name_id);
int sessions_show(struct request *rq, const char *federation);
int sessions_end(struct request *rq, const char *federation, const char *index);
/* A LogoutRequest or the answer to one of ours. */
int sessions_take(struct request *rq, const char *federation);
