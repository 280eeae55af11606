/* Contracts that are wrong: one right contract, changed in one place at a time. Each change is refused with one
 * sentence that names the file, the place in it and the reason. */
#include <unistd.h>
#include "contract_files.h"

static const char right[] =
	"openapi: 3.0.3\n"
	"info: {title: T, version: 1.0.0}\n"
	"servers: [{url: 'https://api.example/t/v1'}]\n"
	"components:\n"
	"  securitySchemes: {portico: {type: oauth2, flows: {clientCredentials: {scopes: {books: Read}}}}}\n"
	"  parameters: {P: {name: p, in: query, schema: {type: string}}}\n"
	"  schemas:\n"
	"    Book: {type: object, properties: {title: {type: string}}}\n"
	"paths:\n"
	"  /books:\n"
	"    get:\n"
	"      operationId: listBooks\n"
	"      security: [{portico: [books]}]\n"
	"      parameters: [{$ref: '#/components/parameters/P'}]\n"
	"      responses: {'200': {description: Books, content: {application/json: {schema: {type: object}}}}}\n"
	"  /books/{bookId}/pages:\n"
	"    parameters: [{name: bookId, in: path, required: true, schema: {type: string}}]\n"
	"    post:\n"
	"      operationId: addPage\n"
	"      security: []\n"
	"      x-max-body: 100\n"
	"      x-problems: [too-thin]\n"
	"      requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/Book'}}}}\n"
	"      responses: {'201': {description: Added}}\n";

struct change {
	const char *from, *to, *error; /* the error begins with the file, which is left out here */
};

static const struct change head_changes[] = {
	{ "openapi: 3.0.3", "openapi: 3.1.0", "#/openapi: only OpenAPI 3.0 is understood" },
	{ "openapi: 3.0.3", "swagger: '2.0'", "#/swagger: unknown keyword 'swagger' in the contract" },
	{ "openapi: 3.0.3", "openapi: [3.0.3", ": line " },
	{ ", version: 1.0.0", "", "#/info: info.version is missing" },
	{ "servers: [{url: 'https://api.example/t/v1'}]", "servers: []", "#/servers: servers[0].url must say" },
	{ "/t/v1", "/{t}/v1", "#/servers: servers[0].url must end with a plain base path" },
	{ "https://api.example/t/v1", "t/v1", "#/servers: servers[0].url must end with a plain base path" },
	{ "  schemas:\n", "  schemes: {}\n  schemas:\n",
		"#/components/schemes: unknown keyword 'schemes' in the components" },
	{ "{title: {type: string}}", "{title: {type: strng}}",
		"#/components/schemas/Book/properties/title/type: 'type' must be string" },
	{ "{title: {type: string}}", "{title: {type: string, maxLenght: 3}}",
		"#/components/schemas/Book/properties/title/maxLenght: unknown keyword 'maxLenght'" },
	{ "    Book: {", "    Unused: {format: colour}\n    Book: {",
		"#/components/schemas/Unused/format: unknown format 'colour'" },
	{ "    Book: {", "    Unused: {allOf: [{$ref: '#/components/schemas/Unused'}]}\n    Book: {",
		"#/components/schemas/Unused: the schema refers to itself without an end" },
	{ "    Book: {", "    Unused: {type: integer, default: x}\n    Book: {",
		"#/components/schemas/Unused/default: the default does not hold: must be an integer" },
};

static const struct change path_changes[] = {
	{ "  /books:", "  books:", "#/paths/books: a path begins with a slash" },
	{ "  /books:", "  /books/:", "#/paths/~1books~1: a path begins with a slash and has no empty" },
	{ "  /books:", "  /books//all:", "#/paths/~1books~1~1all: a path begins with a slash" },
	{ "  /books:", "  /books?all:", "#/paths/~1books?all: a path begins with a slash" },
	{ "  /books:", "  /{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}:",
		"#/paths/~1{a}~1{b}~1{c}~1{d}~1{e}~1{f}~1{g}~1{h}~1{i}: a path parameter is a whole segment, and there "
		"are "
		"at most 8" },
	{ "{bookId}/pages", "{bookId}.pdf", "#/paths/~1books~1{bookId}.pdf: a path parameter is a whole segment" },
	{ "{bookId}/pages", "{}/pages", "#/paths/~1books~1{}~1pages: a path parameter is a whole segment" },
	{ "    get:\n", "    trace:\n", "#/paths/~1books/trace: unknown keyword 'trace' in the path" },
	{ "  /books:\n", "  /{what}/latest/pages: {}\n  /books:\n",
		"#/paths/~1books~1{bookId}~1pages: the path is ambiguous with '/{what}/latest/pages'" },
	{ "  /books:\n", "  /books/{id}/pages: {}\n  /books:\n",
		"#/paths/~1books~1{bookId}~1pages: the path is ambiguous with '/books/{id}/pages'" },
	{ "  /books:\n", "  /books: {$ref: '#/nowhere'}\n  /others:\n",
		"#/paths/~1books/$ref: $ref '#/nowhere' points at nothing" },
	{ "paths:\n", "x-paths:\n", "#: the contract has no paths" },
};

static const struct change operation_changes[] = {
	{ "operationId: addPage", "operationId: listBooks",
		"#/paths/~1books~1{bookId}~1pages/post/operationId: the operationId 'listBooks' is there twice" },
	{ "      operationId: addPage\n", "",
		"#/paths/~1books~1{bookId}~1pages/post: the operation has no operationId" },
	{ "      operationId: addPage", "      callbacks: {}\n      operationId: addPage",
		"#/paths/~1books~1{bookId}~1pages/post/callbacks: unknown keyword 'callbacks' in the operation" },
	{ "security: [{portico: [books]}]", "security: [{portico: [book]}]",
		"#/paths/~1books/get/security: unknown scope 'book' of 'portico'" },
	{ "security: [{portico: [books]}]", "security: [{portica: [books]}]",
		"#/paths/~1books/get/security: the security scheme 'portica' is not declared" },
	{ "security: [{portico: [books]}]", "security: [{}]",
		"#/paths/~1books/get/security: each alternative names one scheme" },
	{ "security: [{portico: [books]}]", "security: [{portico: [books], other: []}]",
		"#/paths/~1books/get/security: each alternative names one scheme" },
	{ "security: [{portico: [books]}]", "security: [{portico: books}]",
		"#/paths/~1books/get/security: the scheme 'portico' must have a type" },
	{ "security: [{portico: [books]}]", "security: {portico: [books]}",
		"#/paths/~1books/get: security must be a list of alternatives" },
	{ "      security: []\n", "",
		"#/paths/~1books~1{bookId}~1pages/post: security must be a list of alternatives; [] means public" },
	{ "x-max-body: 100", "x-max-body: 0",
		"#/paths/~1books~1{bookId}~1pages/post/x-max-body: 'x-max-body' must be an integer from 1" },
	{ "x-max-body: 100", "x-max-body: 1 MB",
		"#/paths/~1books~1{bookId}~1pages/post/x-max-body: 'x-max-body' must be an integer" },
	{ "x-max-body: 100", "x-timeout: 1000",
		"#/paths/~1books~1{bookId}~1pages/post/x-timeout: 'x-timeout' must be" },
	{ "x-max-body: 100", "x-open-query: 1",
		"#/paths/~1books~1{bookId}~1pages/post/x-open-query: 'x-open-query' must be true" },
	{ "x-max-body: 100", "x-stream: yes",
		"#/paths/~1books~1{bookId}~1pages/post/x-stream: 'x-stream' must be true" },
	{ "      operationId: listBooks", "      x-max-body: 10\n      operationId: listBooks",
		"#/paths/~1books/get: x-stream and x-max-body need a requestBody" },
	{ "x-max-body: 100", "x-rate: {perMinute: 1, per: client}",
		"#/paths/~1books~1{bookId}~1pages/post/x-rate: a public operation can only be limited per address" },
	{ "x-max-body: 100", "x-rate: []",
		"#/paths/~1books~1{bookId}~1pages/post/x-rate: 'x-rate' must be one entry or a list of 1 to 4" },
	{ "x-max-body: 100", "x-rate: {perWeek: 1, per: address}",
		"#/paths/~1books~1{bookId}~1pages/post/x-rate: an entry has one of perMinute, perHour and perDay" },
	{ "x-max-body: 100", "x-rate: {perHour: 1, perDay: 1, per: address}",
		"#/paths/~1books~1{bookId}~1pages/post/x-rate: an entry has one of perMinute, perHour and perDay" },
	{ "x-max-body: 100", "x-rate: [{perDay: 5, per: address}, {perMinute: 0, per: address}]",
		"#/paths/~1books~1{bookId}~1pages/post/x-rate: a rate must be an integer from 1 to 1000000" },
	{ "      operationId: listBooks", "      x-rate: {perMinute: 5, per: person}\n      operationId: listBooks",
		"#/paths/~1books/get/x-rate: 'per' must be address, subject, client or tenant" },
	{ "[too-thin]", "[Too_Thin]", "#/paths/~1books~1{bookId}~1pages/post/x-problems: entry 1 is not a slug" },
	{ "[too-thin]", "too-thin", "#/paths/~1books~1{bookId}~1pages/post/x-problems: 'x-problems' must be an array" },
	{ "requestBody: {content: {application/json: ", "requestBody: {content: {json: ",
		"#/paths/~1books~1{bookId}~1pages/post/requestBody/content/json: 'json' is not a media type" },
	{ "requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/Book'}}}}",
		"requestBody: {content: {}}",
		"#/paths/~1books~1{bookId}~1pages/post/requestBody: the requestBody has no content" },
	{ "{schema: {$ref: '#/components/schemas/Book'}}", "{example: 1}",
		"#/paths/~1books~1{bookId}~1pages/post/requestBody/content/application~1json: the media type "
		"'application/json' has no schema" },
	{ "#/components/schemas/Book", "#/components/schemas/Bok",
		"#/paths/~1books~1{bookId}~1pages/post/requestBody/content/application~1json/schema/$ref: $ref "
		"'#/components/schemas/Bok' points at nothing" },
	{ "#/components/schemas/Book", "./other.yaml#/components/schemas/Bok",
		"#/paths/~1books~1{bookId}~1pages/post/requestBody/content/application~1json/schema/$ref: $ref "
		"'./other.yaml#/components/schemas/Bok' points at nothing" },
	{ "#/components/schemas/Book", "absent.yaml#/Book",
		"#/paths/~1books~1{bookId}~1pages/post/requestBody/content/application~1json/schema/$ref: $ref "
		"'absent.yaml#/Book' points at nothing (" },
	{ "#/components/schemas/Book", "https://example.it/a.yaml#/Book",
		"#/paths/~1books~1{bookId}~1pages/post/requestBody/content/application~1json/schema/$ref: $ref "
		"'https://example.it/a.yaml#/Book' points at nothing (https://example.it/a.yaml: only files are "
		"referred to" },
	{ "{'201': {description: Added}}", "{}",
		"#/paths/~1books~1{bookId}~1pages/post: the operation has no responses" },
	{ "{'201': {description: Added}}", "{'2xx': {description: Added}}",
		"#/paths/~1books~1{bookId}~1pages/post/responses/2xx: '2xx' is not a status" },
	{ "{'201': {description: Added}}", "{'201': {}}",
		"#/paths/~1books~1{bookId}~1pages/post/responses/201: the response has no description" },
	{ "{'201': {description: Added}}", "{'201': {description: Added, headers: {Location: {schema: {typo: 1}}}}}",
		"#/paths/~1books~1{bookId}~1pages/post/responses/201/headers/Location/schema/typo: unknown keyword" },
	{ "{'201': {description: Added}}", "{'201': {$ref: 'other.yaml#/components/responses/None'}}",
		"#/paths/~1books~1{bookId}~1pages/post/responses/201/$ref: $ref "
		"'other.yaml#/components/responses/None' "
		"points at nothing" },
	{ "{schema: {type: object}}}}}", "{schema: {type: object, requird: [a]}}}}}",
		"#/paths/~1books/get/responses/200/content/application~1json/schema/requird: unknown keyword" },
};

static const struct change parameter_changes[] = {
	{ "in: query, schema", "in: cookie, schema",
		"#/components/parameters/P/in: 'in' must be path, query or header" },
	{ "{name: p, in: query", "{in: query", "#/components/parameters/P: the parameter has no name" },
	{ "in: query, schema: {type: string}", "in: query",
		"#/components/parameters/P: the parameter 'p' has no schema" },
	{ "in: query, schema", "in: query, shema: 1, schema",
		"#/components/parameters/P/shema: unknown keyword 'shema' in the parameter" },
	{ "in: query, schema: {type: string}", "in: query, schema: {type: object}",
		"#/components/parameters/P/schema: a parameter cannot be an object" },
	{ "in: query, schema: {type: string}", "in: query, schema: {type: array, items: {}}",
		"#/components/parameters/P: an array in the query needs 'explode: false'" },
	{ "in: query, schema", "in: query, style: deepObject, schema",
		"#/components/parameters/P/style: the style 'deepObject' is not supported here" },
	{ "'#/components/parameters/P'", "'#/components/parameters/Q'",
		"#/paths/~1books/get/parameters/0/$ref: $ref '#/components/parameters/Q' points at nothing" },
	{ "[{$ref: '#/components/parameters/P'}]",
		"[{$ref: '#/components/parameters/P'}, {$ref: '#/components/parameters/P'}]",
		"#/paths/~1books/get/parameters: the parameter 'p' is there twice" },
	{ "[{$ref: '#/components/parameters/P'}]", "{$ref: '#/components/parameters/P'}",
		"#/paths/~1books/get/parameters: 'parameters' must be an array" },
	{ "required: true, ", "",
		"#/paths/~1books~1{bookId}~1pages/parameters/0: the path parameter 'bookId' must be required: true" },
	{ "name: bookId", "name: book",
		"#/paths/~1books~1{bookId}~1pages/post: the path has no {book}, which is declared" },
	{ "    parameters: [{name: bookId, in: path, required: true, schema: {type: string}}]\n", "",
		"#/paths/~1books~1{bookId}~1pages/post: the path parameter {bookId} is not declared" },
	{ "/books/{bookId}/pages", "/books/{bookId}/pages/{bookId}",
		"#/paths/~1books~1{bookId}~1pages~1{bookId}/post: a path parameter is twice in the path" },
};

static void check_change(const struct contract_folder *folder, const struct change *change)
{
	const char *at = strstr(right, change->from);
	char *text, *error = NULL, expected[600];
	struct contract *contract;

	if (!at)
		fail_msg("there is no %s to change", change->from);
	assert_true(asprintf(&text, "%.*s%s%s", (int)(at - right), right, change->to, at + strlen(change->from)) > 0);
	folder_write(folder, "t.yaml", text);
	free(text);
	contract = contract_load(folder->path, "t", &error);
	if (contract)
		fail_msg("%s instead of %s is accepted", change->to, change->from);
	snprintf(expected, sizeof expected, "%s/t.yaml%s", folder->path, change->error);
	if (strncmp(error, expected, strlen(expected)) != 0)
		fail_msg("'%s' instead of '%s'", error, expected);
	free(error);
}

static struct contract_folder folder;

#define check_changes(changes)                                                                                         \
	do {                                                                                                           \
		for (size_t i = 0; i < COUNT(changes); i++)                                                            \
			check_change(&folder, &(changes)[i]);                                                          \
	} while (0)

static void test_head(void **state)
{
	check_changes(head_changes);
}

static void test_paths(void **state)
{
	check_changes(path_changes);
}

static void test_operations(void **state)
{
	check_changes(operation_changes);
}

static void test_parameters(void **state)
{
	check_changes(parameter_changes);
}

/* Without a change it is right, or the others would prove nothing. */
static void test_right(void **state)
{
	char *error;
	struct contract *contract;

	folder_write(&folder, "t.yaml", right);
	contract = contract_load(folder.path, "t", &error);
	if (!contract)
		fail_msg("%s", error);
	contract_free(contract);
}

/* A reference that nothing uses, in a file that is only referred to, is as wrong as any. */
static void test_other_file(void **state)
{
	char *error, expected[200];

	folder_write(&folder, "t.yaml", right);
	folder_write(&folder, "broken.yaml", "a: {$ref: '#/b'}\nSchema: {type: string}\n");
	check_change(
		&folder, &(struct change){ "#/components/schemas/Book", "broken.yaml#/Missing",
				 "#/paths/~1books~1{bookId}~1pages/post/requestBody/content/application~1json/schema/"
				 "$ref: $ref 'broken.yaml#/Missing' points at nothing" });
	folder_write(&folder, "t.yaml",
		"openapi: 3.0.3\ninfo: {version: '1'}\nservers: [{url: /t}]\npaths: {}\n"
		"components: {schemas: {A: {$ref: 'broken.yaml#/Schema'}}}\n");
	assert_null(contract_load(folder.path, "t", &error));
	snprintf(expected, sizeof expected, "%s/broken.yaml#/a/$ref: $ref '#/b' points at nothing", folder.path);
	assert_string_equal(error, expected);
	free(error);
}

static void test_no_file(void **state)
{
	char *error;

	assert_null(contract_load(folder.path, "nothing", &error));
	assert_non_null(strstr(error, "/nothing.yaml: No such file or directory"));
	free(error);
	assert_null(contract_load("/proc/self/fd", "nothing", &error));
	free(error);
}

static int set_up(void **state)
{
	folder_make(&folder);
	folder_write(&folder, "other.yaml", "components: {schemas: {}, responses: {}}\n");
	return 0;
}

static int tear_down(void **state)
{
	static const char *const names[] = { "other.yaml", "broken.yaml", "t.yaml", NULL };

	folder_remove(&folder, names);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_right),
		cmocka_unit_test(test_head),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_operations),
		cmocka_unit_test(test_parameters),
		cmocka_unit_test(test_other_file),
		cmocka_unit_test(test_no_file),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
