/* openapi/NAME.yaml as the table the program runs on: operations with their scopes, parameters, body and answers.
 * Read once at start; immutable afterwards, so threads share it without a lock. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include "schema.h"

enum { CONTRACT_MAX_PATH_VALUES = 8 };

enum parameter_place { IN_PATH, IN_QUERY, IN_HEADER };

struct contract_parameter {
	const char *name;
	size_t name_length;
	enum parameter_place place;
	bool required;
	struct schema *schema;
	const json_t *fallback; /* the schema's default, or NULL */
};

struct contract_body {		/* one media type that the operation accepts */
	const char *media_type; /* "application/json", "application/pdf" …; may be a range: "image/" + "*" */
	struct schema *schema;
};

/* One alternative of `security`: all its scopes are needed. No alternative at all: the operation is public. */
struct contract_security {
	const char *scheme;
	const char *const *scopes; /* NULL-terminated */
};

/* One entry of `x-rate`: so many requests of one subject, client, tenant or address in so many seconds. */
enum rate_per { PER_ADDRESS, PER_SUBJECT, PER_CLIENT, PER_TENANT, PER_COUNT };
extern const char *const rate_per_names[PER_COUNT]; /* as in the contract */

struct contract_rate {
	enum rate_per per;
	unsigned requests, seconds;
};

struct contract_operation {
	const char *id;	    /* operationId */
	const char *method; /* "GET" … */
	const char *path;   /* template with the server's base path: /dossier/v1/practices/{practiceId} */
	const struct contract_security *security;
	size_t security_count;
	const struct contract_parameter *parameters;
	size_t parameter_count;
	const struct contract_body *bodies;
	size_t body_count;
	bool body_required;
	const char *const *answers; /* media types of its 2xx answers */
	size_t answer_count;
	const struct contract_rate *rates;
	size_t rate_count;
	size_t max_body;	     /* x-max-body in bytes, else 64 KiB; 0 where no body is declared */
	bool open_query;	     /* x-open-query: query parameters that are not declared are ignored, not refused */
	bool stream;		     /* x-stream: the body goes to a file, not to memory */
	bool idempotent;	     /* takes an Idempotency-Key */
	int timeout;		     /* x-timeout in seconds, else 10 */
	const char *const *problems; /* x-problems, NULL-terminated */
	const json_t *definition;    /* the operation object, $ref of parameters and responses resolved */
};

struct contract;

/* Loads DIRECTORY/NAME.yaml and what it refers to. On failure NULL, and *ret_error (free it) names file, place and
 * reason: syntax, dangling $ref, unknown keyword or format, unknown scope, repeated operationId, two paths that match
 * the same. */
struct contract *contract_load(const char *directory, const char *name, char **ret_error);
void contract_free(struct contract *contract);

const char *contract_name(const struct contract *contract);
const char *contract_base_path(const struct contract *contract); /* "/dossier/v1" */
const char *contract_version(const struct contract *contract);	 /* info.version */
const json_t *contract_document(const struct contract *contract);
/* The files it is made of, itself first, by their real path; NULL after the last. */
const json_t *contract_file(const struct contract *contract, int index, const char **ret_path);
const struct contract_operation *contract_operations(const struct contract *contract, size_t *ret_count);
const struct contract_operation *contract_operation_by_id(const struct contract *contract, const char *id);

struct path_values {
	size_t count;
	struct {
		const char *name;
		const char *value; /* borrowed from the path that was matched, not NUL-terminated */
		size_t length;
	} values[CONTRACT_MAX_PATH_VALUES];
};

/* The operation for method and path (percent-decoded, without query). HEAD finds GET. When the path is known but not
 * with this method: NULL and *ret_allow is "GET, POST". When the path is unknown: NULL and *ret_allow is NULL. A
 * literal segment goes before a parameter. Does not allocate. */
const struct contract_operation *contract_match(const struct contract *contract, const char *method, const char *path,
	size_t path_length, struct path_values *ret_values, const char **ret_allow);

/* Reads one value of a request: a header by name, or a query parameter. NULL when absent. */
typedef const char *contract_lookup(void *context, enum parameter_place place, const char *name);

/* Checks and parses all parameters. Returns an object by name with typed values and defaults (the caller owns it), also
 * when there are errors; each error is appended to errors as {"parameter","in","code","detail"}. Undeclared query
 * parameters (names: NULL-terminated list of those sent) and repeated ones are errors. */
json_t *contract_check_parameters(const struct contract_operation *operation, const struct path_values *values,
	const char *const *query_names, contract_lookup *lookup, void *context, json_t *errors);

/* The quick look at the same parameters: true when all of them certainly hold. False: they do not, or only
 * contract_check_parameters() can tell. query is as it was sent (NULL: none), lookup is asked for headers only. Does
 * not allocate. */
bool contract_parameters_hold(const struct contract_operation *operation, const struct path_values *values,
	const char *query, contract_lookup *lookup, void *context);

/* The declared body for a Content-Type ("application/json; charset=utf-8" finds "application/json"), or NULL: 415. */
const struct contract_body *contract_body_for(const struct contract_operation *operation, const char *content_type);

/* Whether one of the operation's media types is acceptable to who sent this Accept (RFC 9110, section 12.5.1): also
 * when it cannot be read, and when there is no answer with a content. Does not allocate. */
bool contract_accepted(const struct contract_operation *operation, const char *accept);
