/* The file is YAML (so JSON is, too):
 *
 *	clients: {acquedotto: 600, demo-area: 0}        # requests a minute; 0: no limit
 *	tenants: {c_a944: 120000}
 *
 * It is believed as a whole or not at all. */
#include "quota_plan.h"
#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "config.h"
#include "contract_yaml.h"
#include "scope.h"

enum { MAX_FILE = 1 << 20, MOST = 1000000 };

struct quota_plan {
	uint32_t address, forged, caller, client, tenant;
	json_t *file; /* an object, with the objects "clients" and "tenants" or without */
};

__attribute__((format(printf, 2, 3))) static bool wrong(char **ret_error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (vasprintf(ret_error, format, args) < 0)
		abort();
	va_end(args);
	return false;
}

static bool read_setting(const char *name, uint32_t *ret_limit, char **ret_error)
{
	long value = config_number(name);

	*ret_limit = (uint32_t)value;
	return value <= MOST || wrong(ret_error, "%s is at most %d a minute", name, MOST);
}

static bool check_list(const char *path, const char *list_name, json_t *list, char **ret_error)
{
	const char *name;
	json_t *value;

	if (strcmp(list_name, "clients") != 0 && strcmp(list_name, "tenants") != 0)
		return wrong(ret_error, "%s: '%s' is neither clients nor tenants", path, list_name);
	if (!json_is_object(list))
		return wrong(ret_error, "%s: '%s' must name requests a minute for each name", path, list_name);
	json_object_foreach(list, name, value)
	{
		if (!json_is_integer(value) || json_integer_value(value) < 0 || json_integer_value(value) > MOST)
			return wrong(
				ret_error, "%s: %s of %s must be an integer from 0 to %d", path, list_name, name, MOST);
	}
	return true;
}

static bool check_file(const char *path, json_t *file, char **ret_error)
{
	const char *name;
	json_t *list;

	if (!json_is_object(file))
		return wrong(ret_error, "%s: it must have clients or tenants", path);
	json_object_foreach(file, name, list)
	{
		if (!check_list(path, name, list, ret_error))
			return false;
	}
	return true;
}

static bool read_file(struct quota_plan *plan, const char *path, char **ret_error)
{
	auto_file FILE *file = fopen(path, "re");
	auto_free char *text = malloc(MAX_FILE), *fault = NULL;
	size_t length;

	if (!text)
		abort();
	if (!file)
		return wrong(ret_error, "PORTICO_LIMITS: %s cannot be read: %s", path, strerror(errno));
	length = fread(text, 1, MAX_FILE, file);
	if (ferror(file) || length == MAX_FILE)
		return wrong(ret_error, "PORTICO_LIMITS: %s cannot be read or is larger than 1 MiB", path);
	plan->file = contract_yaml_parse(text, length, &fault);
	if (!plan->file)
		return wrong(ret_error, "%s: %s", path, fault);
	return check_file(path, plan->file, ret_error);
}

struct quota_plan *quota_plan_new(char **ret_error)
{
	struct quota_plan *plan = calloc(1, sizeof(*plan));
	const char *path = config("PORTICO_LIMITS");

	if (!plan)
		abort();
	if (read_setting("PORTICO_LIMIT_ADDRESS", &plan->address, ret_error) &&
		read_setting("PORTICO_LIMIT_FORGED", &plan->forged, ret_error) &&
		read_setting("PORTICO_LIMIT_CALLER", &plan->caller, ret_error) &&
		read_setting("PORTICO_LIMIT_CLIENT", &plan->client, ret_error) &&
		read_setting("PORTICO_LIMIT_TENANT", &plan->tenant, ret_error) &&
		(!*path || read_file(plan, path, ret_error)))
		return plan;
	quota_plan_free(plan);
	return NULL;
}

void quota_plan_free(struct quota_plan *plan)
{
	if (!plan)
		return;
	json_decref(plan->file);
	free(plan);
}

static struct limit a_minute(uint32_t requests)
{
	return (struct limit){ requests, 60 };
}

static struct limit named(const struct quota_plan *plan, const char *list, const char *name, uint32_t otherwise)
{
	const json_t *value = json_object_get(json_object_get(plan->file, list), name);

	return a_minute(value ? (uint32_t)json_integer_value(value) : otherwise);
}

struct limit quota_plan_address(const struct quota_plan *plan)
{
	return a_minute(plan->address);
}

struct limit quota_plan_forged(const struct quota_plan *plan)
{
	return a_minute(plan->forged);
}

struct limit quota_plan_subject(const struct quota_plan *plan)
{
	return a_minute(plan->caller);
}

struct limit quota_plan_client(const struct quota_plan *plan, const char *client, bool alone)
{
	return named(plan, "clients", client, alone ? plan->caller : plan->client);
}

struct limit quota_plan_tenant(const struct quota_plan *plan, const char *tenant)
{
	return named(plan, "tenants", tenant, plan->tenant);
}
