/* Any contract, then a line "%%" and requests, one "METHOD PATH" a line. Loading ends with a contract or with one
 * sentence; each operation is found by its own template; any other request finds an operation, a list of methods or
 * nothing. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "contract.h"

static const char *nothing_sent(void *context, enum parameter_place place, const char *name)
{
	return NULL;
}

static void try_request(const struct contract *contract, char *line)
{
	char *target = strchr(line, ' ');
	struct path_values values;
	const struct contract_operation *operation;
	const char *allow;
	json_auto_t *errors = json_array();

	if (!target)
		return;
	*target++ = '\0';
	operation = contract_match(contract, line, target, strlen(target), &values, &allow);
	for (size_t i = 0; operation && i < values.count; i++)
		if (values.values[i].length == 0 || memchr(values.values[i].value, '/', values.values[i].length))
			abort();
	if (operation)
		json_decref(contract_check_parameters(operation, &values, NULL, nothing_sent, NULL, errors));
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
