/* A partner's contract is read like any other; what is its own stands at its top: x-tenant, x-upstream, x-caller. */
#include "partners.h"
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "config.h"
#include "rules.h"
#include "scope.h"

enum { MAX_PARTNER_NAME = 40 };

struct reading {
	struct rules *rules;
	const char *folder;	   /* of the contracts */
	const char *name;	   /* partners/acqua */
	struct contract *contract; /* taken over by the routes in the end */
	struct partner partner;
	char **ret_error;
};

/* Places the sentence in the partner's file, at one of its members unless that is NULL. */
__attribute__((format(printf, 3, 4))) static bool wrong(
	const struct reading *reading, const char *member, const char *format, ...)
{
	auto_free char *reason = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&reason, format, args) < 0)
		abort();
	va_end(args);
	if (asprintf(reading->ret_error, "%s/%s.yaml%s%s: %s", reading->folder, reading->name, member ? "#/" : "",
		    member ? member : "", reason) < 0)
		abort();
	return false;
}

static bool read_tenant(struct reading *reading)
{
	const char *base = contract_base_path(reading->contract);
	const char *tenant = json_string_value(json_object_get(contract_document(reading->contract), "x-tenant"));
	size_t length = tenant ? strlen(tenant) : 0;

	if (!tenant || !format_holds("ipa-code", tenant))
		return wrong(reading, "x-tenant", "must be the tenant whose back end it is, by IPA code, like c_a944");
	reading->partner.tenant = tenant;
	if (*base != '/' || strncmp(base + 1, tenant, length) != 0 || base[1 + length] != '/')
		return wrong(reading, "servers", "the base path %s does not begin with /%s/", base, tenant);
	return true;
}

static bool read_upstream(struct reading *reading)
{
	const json_t *list = json_object_get(contract_document(reading->contract), "x-upstream");
	struct rules *rules = reading->rules;
	struct upstream_service *service = &rules->services[rules->service_count];
	size_t index;
	json_t *address;

	if (rules->service_count == MAX_SERVICES)
		return wrong(reading, NULL, "there are more than %d services and partners", MAX_SERVICES);
	service_init(service, reading->name);
	rules->service_count++;
	json_array_foreach(list, index, address)
	{
		if (!json_is_string(address) || !service_add_name(service, json_string_value(address)))
			return wrong(reading, "x-upstream",
				"entry %zu is not host:port or https://host:port like the others, or one too many",
				index + 1);
	}
	return service->name_count || wrong(reading, "x-upstream", "must list the addresses, [host:port, …]");
}

static bool read_line(const char *path, char line[static AUTH_KEY_MAX + 2])
{
	auto_file FILE *file = fopen(path, "re");

	if (!file)
		return false;
	if (!fgets(line, AUTH_KEY_MAX + 2, file))
		*line = '\0';
	line[strcspn(line, "\r\n")] = '\0';
	return true;
}

static bool read_key(struct reading *reading)
{
	const char *folder = config("PORTICO_PARTNER_KEYS"), *name = strchr(reading->name, '/') + 1;
	auto_free char *path = NULL;
	char line[AUTH_KEY_MAX + 2];

	if (!*folder)
		return wrong(reading, NULL, "has no key, since PORTICO_PARTNER_KEYS names no folder of keys");
	if (asprintf(&path, "%s/%s.key", folder, name) < 0)
		abort();
	if (!read_line(path, line))
		return wrong(reading, NULL, "its key %s cannot be read: %s", path, strerror(errno));
	if (strcmp(line, config("PORTICO_CALLER_KEY")) == 0)
		return wrong(reading, NULL, "its key %s is that of our own services", path);
	if (!auth_key_read(&reading->partner.key, line))
		return wrong(reading, NULL, "its key %s must have 32 to 256 characters", path);
	reading->partner.knows_caller = true;
	return true;
}

static bool read_caller(struct reading *reading)
{
	const json_t *caller = json_object_get(contract_document(reading->contract), "x-caller");

	if (!caller)
		return read_key(reading);
	return (json_is_string(caller) && strcmp(json_string_value(caller), "none") == 0) ||
	       wrong(reading, "x-caller", "can only be none: no Portico-Caller for this back end");
}

static bool read_partner(struct reading *reading)
{
	size_t service = reading->rules->service_count;

	reading->contract = contract_load(reading->folder, reading->name, reading->ret_error);
	if (!reading->contract)
		return false;
	if (read_tenant(reading) && read_upstream(reading) && read_caller(reading))
		return routes_add(
			reading->rules->routes, reading->contract, service, &reading->partner, reading->ret_error);
	contract_free(reading->contract);
	return false;
}

static int is_contract(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);

	return *entry->d_name != '.' && length > 5 && strcmp(entry->d_name + length - 5, ".yaml") == 0;
}

static bool add(struct rules *rules, const char *folder, const char *file, char **ret_error)
{
	int length = (int)strlen(file) - 5;
	char name[sizeof(rules->services[0].name)];
	struct reading reading = { .rules = rules, .folder = folder, .name = name, .ret_error = ret_error };

	snprintf(name, sizeof(name), "partners/%.*s", length, file);
	if (length > MAX_PARTNER_NAME || strspn(file, "abcdefghijklmnopqrstuvwxyz0123456789-") != (size_t)length)
		return wrong(
			&reading, NULL, "is called by %d small letters, digits and hyphens at most", MAX_PARTNER_NAME);
	return read_partner(&reading);
}

bool partners_read(struct rules *rules, const char *folder, char **ret_error)
{
	auto_free char *path = NULL;
	struct dirent **files = NULL;
	bool right = true;
	int count;

	if (asprintf(&path, "%s/partners", folder) < 0)
		abort();
	count = scandir(path, &files, is_contract, alphasort);
	if (count < 0 && errno != ENOENT && asprintf(ret_error, "%s: %s", path, strerror(errno)) > 0)
		return false;
	for (int i = 0; i < count; i++) {
		right = right && add(rules, folder, files[i]->d_name, ret_error);
		free(files[i]);
	}
	free(files);
	return right;
}

static void drop(struct http1_head *head, const char *const *names)
{
	for (size_t i = 0; i < head->field_count; i++) {
		for (const char *const *name = names; *name; name++) {
			if (strcasecmp(head->fields[i].name, *name) == 0)
				head->fields[i].dropped = true;
		}
	}
}

void partner_drop_ours(struct http1_head *head)
{
	drop(head, (const char *const[]){ "cookie", "authorization", "host", NULL });
}

void partner_drop_claims(struct http1_head *head)
{
	drop(head, (const char *const[]){ "set-cookie", "clear-site-data", "strict-transport-security", "alt-svc",
			   "report-to", "reporting-endpoints", "nel", "service-worker-allowed", "www-authenticate",
			   "x-content-type-options", NULL });
}
