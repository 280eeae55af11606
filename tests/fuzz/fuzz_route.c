/* Any method and target, with header fields on the lines below, against the contracts of all services. The path is
 * decoded as the simplest decoder would; the tree finds the operation that a walk through all templates finds; the
 * values put back into the template are the path; the quick look at the parameters never lets pass what the whole
 * check refuses; the tenant in the path or the query is the caller's or it is not. */
#include <glob.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "contract.h"
#include "http1.h"
#include "path.h"
#include "route.h"
#include "scope.h"

enum { MOST_FIELDS = 8, MOST_PARTS = 64 };

static const char *const names[] = { "identity", "dossier", "payments", "notifications", "booking", "protocol",
	"maze" };
enum { CONTRACTS = sizeof(names) / sizeof(names[0]) };
static struct contract *contracts[CONTRACTS];
static struct routes *routes;

static void must(bool holds)
{
	if (!holds)
		abort();
}

/* The contracts of the services and the maze as if they lay in one folder. */
static void gather(char folder[static 32], bool gone)
{
	glob_t files;
	char link[512];

	must(gone || mkdtemp(folder));
	must(glob(PORTICO_SOURCE_DIR "/openapi/*.yaml", 0, NULL, &files) == 0);
	must(glob(PORTICO_SOURCE_DIR "/tests/fuzz/*.yaml", GLOB_APPEND, NULL, &files) == 0);
	for (size_t i = 0; i < files.gl_pathc; i++) {
		snprintf(link, sizeof(link), "%s%s", folder, strrchr(files.gl_pathv[i], '/'));
		must((gone ? unlink(link) : symlink(files.gl_pathv[i], link)) == 0);
	}
	globfree(&files);
	must(!gone || rmdir(folder) == 0);
}

static void load(void)
{
	char folder[32] = "/tmp/portico-fuzz-XXXXXX", *error;

	gather(folder, false);
	routes = routes_new();
	for (size_t i = 0; i < CONTRACTS; i++) {
		struct contract *contract = contract_load(folder, names[i], &error);

		must(contract && routes_add(routes, contract, i, NULL, &error));
		contracts[i] = contract_load(folder, names[i], &error);
		must(contracts[i]);
	}
	routes_finish(routes);
	gather(folder, true);
}

/* ---- The request */

struct part {
	char *name, *value;
};

struct request {
	char *method, *target;
	struct part fields[MOST_FIELDS], query[MOST_PARTS];
	const char *query_names[MOST_PARTS + 1];
	size_t field_count, part_count;
};

static void read_request(struct request *request, char *text)
{
	char *line = strsep(&text, "\n"), *colon;

	request->method = strsep(&line, " ");
	request->target = line ? line : request->method + strlen(request->method);
	while (request->field_count < MOST_FIELDS && (line = strsep(&text, "\n"))) {
		colon = strstr(line, ": ");
		if (!colon)
			continue;
		*colon = '\0';
		request->fields[request->field_count++] = (struct part){ line, colon + 2 };
	}
}

static bool is_target(const char *target)
{
	return *target == '/' && strlen(target) <= HTTP1_MAX_TARGET &&
	       strspn(target, "!$%&'()*+,-./0123456789:;=?@ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~") ==
		       strlen(target);
}

/* ---- The simplest decoder */

static size_t decode(char *out, const char *text, size_t length, bool plus)
{
	size_t at = 0;

	for (size_t i = 0; i < length; i++) {
		char hex[3] = "";

		if (text[i] == '%') {
			memcpy(hex, text + i + 1, 2);
			out[at++] = (char)strtoul(hex, NULL, 16);
			i += 2;
		} else {
			out[at++] = plus && text[i] == '+' ? ' ' : text[i];
		}
	}
	out[at] = '\0';
	return at;
}

static char *decoded_part(char **at, const char *text, size_t length)
{
	char *out = *at;

	*at += decode(out, text, length, true) + 1;
	return out;
}

/* False when there are more parts than fit. */
static bool read_query(struct request *request, const char *query)
{
	static char texts[2 * HTTP1_MAX_TARGET];
	char *at = texts;

	while (query && *query) {
		size_t length = strcspn(query, "&"), name_length = strcspn(query, "=&");
		struct part *part = &request->query[request->part_count];

		if (request->part_count == MOST_PARTS)
			return false;
		request->query_names[request->part_count++] = part->name = decoded_part(&at, query, name_length);
		part->value = name_length < length
				      ? decoded_part(&at, query + name_length + 1, length - name_length - 1)
				      : NULL;
		query += length + (query[length] == '&');
	}
	return true;
}

/* ---- The walk through all templates */

/* Whether path matches, and in shape, which of its segments are parameters: "lpl". */
static bool matches(const char *template, const char *path, char shape[static 64])
{
	size_t segments = 0;

	while (*template && *path) {
		size_t wanted = strcspn(template + 1, "/"), given = strcspn(path + 1, "/");
		bool parameter = template[1] == '{';

		if (parameter ? given == 0 : wanted != given || memcmp(template + 1, path + 1, given) != 0)
			return false;
		must(segments < 63);
		shape[segments++] = parameter ? 'p' : 'l';
		template += 1 + wanted;
		path += 1 + given;
	}
	shape[segments] = '\0';
	return !*template && !*path;
}

static bool for_siblings(const struct contract_operation *operation)
{
	for (size_t i = 0; i < operation->security_count; i++) {
		const char *const *scope = operation->security[i].scopes;

		while (*scope && strcmp(*scope, "service") != 0)
			scope++;
		if (!*scope)
			return false;
	}
	return operation->security_count > 0;
}

static const struct contract_operation *find_slowly(const char *method, const char *path, bool *ret_path_known)
{
	const struct contract_operation *found = NULL, *get = NULL;
	char best[64] = "q", shape[64];

	*ret_path_known = false;
	for (size_t i = 0; i < CONTRACTS; i++) {
		size_t count;
		const struct contract_operation *operations = contract_operations(contracts[i], &count);

		for (size_t k = 0; k < count; k++) {
			if (!matches(operations[k].path, path, shape) || strcmp(shape, best) > 0)
				continue;
			if (strcmp(shape, best) < 0) {
				strcpy(best, shape);
				found = get = NULL;
				*ret_path_known = false;
			}
			if (for_siblings(&operations[k]))
				continue;
			*ret_path_known = true;
			if (strcmp(operations[k].method, method) == 0)
				found = &operations[k];
			if (strcmp(operations[k].method, "GET") == 0)
				get = &operations[k];
		}
	}
	return found || strcmp(method, "HEAD") != 0 ? found : get;
}

/* ---- What is tested */

static void check_path_values(const char *template, const struct path_values *values, const char *path)
{
	size_t next = 0;

	while (*template) {
		if (*template == '{') {
			must(next < values->count);
			must(strncmp(template + 1, values->values[next].name, strlen(values->values[next].name)) == 0);
			must(strncmp(path, values->values[next].value, values->values[next].length) == 0);
			path += values->values[next++].length;
			template = strchr(template, '}') + 1;
		} else {
			must(*template ++ == *path++);
		}
	}
	must(!*path && next == values->count);
}

static const char *find_field(const struct request *request, const char *name)
{
	for (size_t i = 0; i < request->field_count; i++) {
		if (strcasecmp(request->fields[i].name, name) == 0)
			return request->fields[i].value;
	}
	return NULL;
}

static const char *look_up_header(void *context, enum parameter_place place, const char *name)
{
	must(place == IN_HEADER);
	return find_field(context, name);
}

static const char *look_up(void *context, enum parameter_place place, const char *name)
{
	const struct request *request = context;

	if (place == IN_HEADER)
		return find_field(request, name);
	for (size_t i = 0; i < request->part_count; i++) {
		if (strcmp(request->query[i].name, name) == 0)
			return request->query[i].value;
	}
	return NULL;
}

static void check_parameters(const struct contract_operation *operation, const struct path_values *values,
	const char *query, struct request *request)
{
	json_auto_t *errors = json_array();

	json_decref(contract_check_parameters(operation, values, request->query_names, look_up, request, errors));
	if (contract_parameters_hold(operation, values, query, look_up_header, request))
		must(json_array_size(errors) == 0);
}

static bool is_tenant(const char *value, size_t length)
{
	return length == 6 && memcmp(value, "c_a944", 6) == 0;
}

static void check_tenant(
	const struct route *route, const struct path_values *values, const char *query, const struct request *request)
{
	bool own = true;

	for (size_t i = 0; i < values->count; i++) {
		const char *name = values->values[i].name;

		if (strcmp(name, "tenant") == 0 || strcmp(name, "tenantId") == 0)
			own = own && is_tenant(values->values[i].value, values->values[i].length);
	}
	for (size_t i = 0; route->tenant_query && i < request->part_count; i++) {
		const char *value = request->query[i].value ? request->query[i].value : "";

		if (strcmp(request->query[i].name, route->tenant_query) == 0)
			own = own && is_tenant(value, strlen(value));
	}
	/* A value that is too long to be a tenant's, encoded, is refused whatever it says. */
	if (!route_tenant_matches(route, values, query, "c_a944"))
		must(!own || (query && strlen(query) > 256));
	else
		must(own);
}

static void check_request(struct request *request)
{
	static char path[HTTP1_MAX_TARGET + 1], simply[HTTP1_MAX_TARGET + 1];
	struct path_values values;
	const struct contract_operation *operation;
	const struct route *route;
	const char *query, *allow;
	size_t length;
	bool path_known;

	if (!is_target(request->target) || !path_decode(request->target, path, &length, &query))
		return;
	must(length == decode(simply, request->target, strcspn(request->target, "?"), false) && !strcmp(path, simply));
	must((query != NULL) == (strchr(request->target, '?') != NULL));
	route = route_find(routes, request->method, path, length, &values, &allow);
	operation = find_slowly(request->method, path, &path_known);
	must((route != NULL) == (operation != NULL) && (allow != NULL) == path_known);
	if (!route)
		return;
	must(strcmp(route->operation->id, operation->id) == 0 && strcmp(route->operation->path, operation->path) == 0);
	must(!route->internal);
	check_path_values(operation->path, &values, path);
	if (!read_query(request, query))
		return;
	check_parameters(route->operation, &values, query, request);
	check_tenant(route, &values, query, request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size);
	struct request request = { 0 };

	if (!routes)
		load();
	read_request(&request, text);
	check_request(&request);
	free(text);
	return 0;
}
