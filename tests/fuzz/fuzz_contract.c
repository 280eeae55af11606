/* Any contract, then a line "%%" and requests, one "METHOD PATH?QUERY ACCEPT" a line. Loading ends with a contract or
 * with one sentence; each operation is found by its own template; any other request finds an operation, a list of
 * methods or nothing; and the quick look at its parameters never says yes where the thorough one says no. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "arena.h"
#include "contract.h"
#include "query.h"
#include "text.h"

enum { MAX_PARTS = 16 };

struct sent {
	const char *names[MAX_PARTS + 1], *values[MAX_PARTS];
};

static const char *look_up(void *context, enum parameter_place place, const char *name)
{
	const struct sent *sent = context;

	for (size_t i = 0; place == IN_QUERY && sent->names[i]; i++)
		if (strcmp(sent->names[i], name) == 0)
			return sent->values[i];
	return NULL;
}

static const char *no_header(void *context, enum parameter_place place, const char *name)
{
	return NULL;
}

/* False: broken, or more parts than there is room for. */
static bool decode(struct arena *arena, const char *query, struct sent *sent)
{
	struct query_part part;

	for (size_t i = 0; query_next(&query, &part); i++) {
		char *name = arena_alloc(arena, part.name_length + 1),
		     *value = arena_alloc(arena, part.value_length + 1);

		if (i == MAX_PARTS || !text_form_decode(part.name, part.name_length, name) ||
			(part.value && !text_form_decode(part.value, part.value_length, value)))
			return false;
		sent->names[i] = name;
		sent->values[i] = part.value ? value : NULL;
	}
	return true;
}

static void check_parameters(
	const struct contract_operation *operation, const struct path_values *values, const char *query)
{
	bool hold = contract_parameters_hold(operation, values, query, no_header, NULL);
	json_auto_t *errors = json_array();
	struct arena *arena = arena_new();
	struct sent sent = { 0 };

	if (decode(arena, query, &sent)) {
		json_decref(contract_check_parameters(operation, values, sent.names, look_up, &sent, errors));
		if (hold && json_array_size(errors))
			abort();
	}
	arena_free(arena);
}

static void try_request(const struct contract *contract, char *line)
{
	char *target = strchr(line, ' '), *accept = target ? strchr(target + 1, ' ') : NULL, *query;
	struct path_values values;
	const struct contract_operation *operation;
	const char *allow;

	if (!target)
		return;
	*target++ = '\0';
	if (accept)
		*accept++ = '\0';
	query = strchr(target, '?');
	if (query)
		*query++ = '\0';
	operation = contract_match(contract, line, target, strlen(target), &values, &allow);
	for (size_t i = 0; operation && i < values.count; i++)
		if (values.values[i].length == 0 || memchr(values.values[i].value, '/', values.values[i].length))
			abort();
	if (!operation)
		return;
	check_parameters(operation, &values, query);
	contract_accepted(operation, accept ? accept : "*/*");
}

/* A template is a path, too: nothing more literal can match its braces. */
static void find_each(const struct contract *contract)
{
	size_t count;
	const struct contract_operation *operations = contract_operations(contract, &count);

	for (size_t i = 0; i < count; i++) {
		struct path_values values;
		const char *allow;

		if (contract_match(contract, operations[i].method, operations[i].path, strlen(operations[i].path),
			    &values, &allow) != &operations[i])
			abort();
	}
}

static char directory[] = "/tmp/portico-fuzz-XXXXXX", path[64];

static void remove_directory(void)
{
	unlink(path);
	rmdir(directory);
}

static void write_contract(const char *text)
{
	FILE *file = fopen(path, "w");

	if (!file)
		abort();
	fputs(text, file);
	fclose(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size), *requests = strstr(text, "\n%%\n"), *line, *error;
	struct contract *contract;

	if (!*path) {
		if (!mkdtemp(directory))
			abort();
		snprintf(path, sizeof path, "%s/t.yaml", directory);
		atexit(remove_directory);
	}
	if (requests) {
		requests[1] = '\0';
		requests += 4;
	}
	write_contract(text);
	contract = contract_load(directory, "t", &error);
	if (!contract && (!error || !*error))
		abort();
	if (!contract)
		free(error);
	else
		find_each(contract);
	while (contract && requests && (line = strsep(&requests, "\n")))
		try_request(contract, line);
	contract_free(contract);
	free(text);
	return 0;
}
