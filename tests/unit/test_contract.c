/* A contract that is right: what its operations say, which one a path finds, and how parameters and bodies are taken.
 */
#include <pthread.h>
#include <unistd.h>
#include "contract_files.h"

static const char shared_yaml[] =
	"openapi: 3.0.3\n"
	"components:\n"
	"  securitySchemes:\n"
	"    portico:\n"
	"      type: oauth2\n"
	"      flows:\n"
	"        authorizationCode: {scopes: &people {books: Read, 'desk:books': Keep}}\n"
	"        implicit: {scopes: *people}\n"
	"        clientCredentials: {scopes: {service: Siblings}}\n"
	"    basic: {type: http, scheme: basic}\n"
	"  parameters:\n"
	"    Limit: {name: limit, in: query, schema: {type: integer, format: int32, minimum: 1, maximum: 100, default: "
	"20}}\n"
	"    Key: {name: Idempotency-Key, in: header, schema: {$ref: '#/components/schemas/Key'}}\n"
	"  responses:\n"
	"    Default: {description: Any error, content: {application/problem+json: {schema: {type: object}}}}\n"
	"  schemas:\n"
	"    Key: {type: string, maxLength: 8}\n"
	"    Id: {type: string, format: uuid}\n";

static const char library_yaml[] =
	"openapi: 3.0.3\n"
	"info: {title: Library, version: 1.2.3}\n"
	"servers: [{url: 'https://api.example/library/v1/'}, {url: 'https://sandbox.example/x'}]\n"
	"security: [{portico: [books]}]\n"
	"components:\n"
	"  securitySchemes:\n"
	"    portico: {$ref: './shared.yaml#/components/securitySchemes/portico'}\n"
	"    basic: {$ref: './shared.yaml#/components/securitySchemes/basic'}\n"
	"  schemas:\n"
	"    Book:\n"
	"      type: object\n"
	"      required: [title]\n"
	"      properties:\n"
	"        title: {type: string}\n"
	"        isbn: {type: string, pattern: '^97[89][0-9]{10}$'}\n"
	"        sequel: {$ref: '#/components/schemas/Book'}\n"
	"        key: {$ref: './shared.yaml#/components/schemas/Key'}\n"
	"paths:\n"
	"  /status:\n"
	"    get: {operationId: showStatus, security: [], responses: {'200': {description: Up}}}\n"
	"  /books:\n"
	"    get:\n"
	"      operationId: listBooks\n"
	"      parameters:\n"
	"        - $ref: './shared.yaml#/components/parameters/Limit'\n"
	"        - {name: tags, in: query, explode: false, schema: {type: array, items: {type: string, maxLength: "
	"3}}}\n"
	"        - {name: since, in: query, required: true, schema: {type: string, format: date}}\n"
	"        - {name: X-Trace, in: header, schema: {type: boolean}}\n"
	"      responses:\n"
	"        200: {description: Books}\n"
	"        default: {$ref: './shared.yaml#/components/responses/Default'}\n"
	"    post:\n"
	"      operationId: addBook\n"
	"      security: [{portico: [books, 'desk:books']}, {portico: [service]}, {basic: []}]\n"
	"      parameters: [{$ref: './shared.yaml#/components/parameters/Key'}]\n"
	"      x-problems: [title-taken, shelf-full]\n"
	"      x-timeout: 30\n"
	"      x-rate: [{perMinute: 60, per: subject}, {perDay: 5000, per: tenant}]\n"
	"      requestBody:\n"
	"        required: true\n"
	"        content:\n"
	"          application/json: {schema: {$ref: '#/components/schemas/Book'}}\n"
	"          '*/*': {schema: {type: string, format: binary}}\n"
	"          image/*: {schema: {type: string, format: binary}}\n"
	"          image/x: {schema: {type: string, format: binary}}\n"
	"          image/png: {schema: {type: string, format: binary}}\n"
	"      responses: {'201': {description: Added}}\n"
	"  /books/{bookId}:\n"
	"    parameters:\n"
	"      - {name: bookId, in: path, required: true, schema: {$ref: './shared.yaml#/components/schemas/Id'}}\n"
	"      - {name: lang, in: query, schema: {type: string, enum: [it, en]}}\n"
	"    get:\n"
	"      operationId: showBook\n"
	"      parameters: [{name: lang, in: query, schema: {type: string, enum: [de]}}]\n"
	"      responses: {'200': {description: A book}}\n"
	"    delete: {operationId: removeBook, responses: {'204': {description: Gone}}}\n"
	"  /books/latest:\n"
	"    get: {operationId: showLatest, responses: {'200': {description: The newest}}}\n"
	"  /books/latest/cover:\n"
	"    put:\n"
	"      operationId: setCover\n"
	"      x-stream: true\n"
	"      x-max-body: 1000000\n"
	"      requestBody: {content: {image/png: {schema: {type: string, format: binary}}}}\n"
	"      responses: {'204': {description: Set}}\n"
	"  /books/{bookId}/pages/{page}:\n"
	"    parameters:\n"
	"      - {name: bookId, in: path, required: true, schema: {type: string}}\n"
	"      - {name: page, in: path, required: true, schema: {type: integer, format: int32}}\n"
	"    get: {operationId: showPage, responses: {'200': {description: A page}}}\n"
	"    head: {operationId: probePage, responses: {'200': {description: A page}}}\n"
	"  /{shelf}/{position}/label:\n"
	"    parameters:\n"
	"      - {name: shelf, in: path, required: true, schema: {type: string}}\n"
	"      - {name: position, in: path, required: true, schema: {type: string}}\n"
	"    get: {operationId: showLabel, responses: {'200': {description: What the label says}}}\n";

static struct contract_folder folder;
static struct contract *library;

static int set_up(void **state)
{
	char *error;

	folder_make(&folder);
	folder_write(&folder, "shared.yaml", shared_yaml);
	folder_write(&folder, "library.yaml", library_yaml);
	library = contract_load(folder.path, "library", &error);
	if (!library)
		fail_msg("%s", error);
	return 0;
}

static int tear_down(void **state)
{
	static const char *const names[] = { "shared.yaml", "library.yaml", NULL };

	contract_free(library);
	folder_remove(&folder, names);
	return 0;
}

static void test_head(void **state)
{
	size_t count;

	assert_string_equal(contract_name(library), "library");
	assert_string_equal(contract_base_path(library), "/library/v1");
	assert_string_equal(contract_version(library), "1.2.3");
	contract_operations(library, &count);
	assert_int_equal(count, 10);
	assert_null(contract_operation_by_id(library, "addbook"));
}

static void test_operation(void **state)
{
	const struct contract_operation *add = contract_operation_by_id(library, "addBook");

	assert_string_equal(add->method, "POST");
	assert_string_equal(add->path, "/library/v1/books");
	assert_int_equal(add->security_count, 3);
	assert_string_equal(add->security[0].scheme, "portico");
	assert_string_equal(add->security[0].scopes[0], "books");
	assert_string_equal(add->security[0].scopes[1], "desk:books");
	assert_null(add->security[0].scopes[2]);
	assert_string_equal(add->security[1].scopes[0], "service");
	assert_string_equal(add->security[2].scheme, "basic");
	assert_null(add->security[2].scopes[0]);
	assert_true(add->idempotent);
	assert_true(add->body_required);
	assert_int_equal(add->max_body, 65536);
	assert_int_equal(add->timeout, 30);
	assert_int_equal(add->rate_count, 2);
	assert_int_equal(add->rates[0].per, PER_SUBJECT);
	assert_int_equal(add->rates[0].requests, 60);
	assert_int_equal(add->rates[0].seconds, 60);
	assert_int_equal(add->rates[1].per, PER_TENANT);
	assert_int_equal(add->rates[1].requests, 5000);
	assert_int_equal(add->rates[1].seconds, 86400);
	assert_false(add->stream);
	assert_string_equal(add->problems[0], "title-taken");
	assert_string_equal(add->problems[1], "shelf-full");
	assert_null(add->problems[2]);
}

static void test_defaults_of_an_operation(void **state)
{
	const struct contract_operation *list = contract_operation_by_id(library, "listBooks");
	const struct contract_operation *status = contract_operation_by_id(library, "showStatus");
	const struct contract_operation *cover = contract_operation_by_id(library, "setCover");

	assert_int_equal(status->security_count, 0); /* [] at the operation goes before the contract's own */
	assert_int_equal(list->security_count, 1);
	assert_string_equal(list->security[0].scopes[0], "books");
	assert_false(list->idempotent);
	assert_int_equal(list->max_body, 0);
	assert_int_equal(list->timeout, 10);
	assert_int_equal(list->rate_count, 0);
	assert_null(list->problems[0]);
	assert_true(cover->stream);
	assert_int_equal(cover->max_body, 1000000);
	assert_false(cover->body_required);
}

/* What the definition refers to is in it, for those who print it. */
static void test_definition(void **state)
{
	const json_t *definition = contract_operation_by_id(library, "listBooks")->definition;
	const json_t *response = json_object_get(json_object_get(definition, "responses"), "default");
	const json_t *limit = json_array_get(json_object_get(definition, "parameters"), 0);

	assert_string_equal(json_string_value(json_object_get(response, "description")), "Any error");
	assert_string_equal(json_string_value(json_object_get(limit, "name")), "limit");
}

static void test_match(void **state)
{
	static const struct {
		const char *method, *path, *id, *allow, *first, *second;
	} cases[] = {
		{ "GET", "/library/v1/status", "showStatus", NULL, NULL, NULL },
		{ "HEAD", "/library/v1/status", "showStatus", NULL, NULL, NULL },
		{ "GET", "/library/v1/books", "listBooks", NULL, NULL, NULL },
		{ "POST", "/library/v1/books", "addBook", NULL, NULL, NULL },
		{ "GET", "/library/v1/books/12", "showBook", NULL, "bookId=12", NULL },
		{ "HEAD", "/library/v1/books/12", "showBook", NULL, "bookId=12", NULL },
		{ "DELETE", "/library/v1/books/12", "removeBook", NULL, "bookId=12", NULL },
		{ "GET", "/library/v1/books/latest", "showLatest", NULL, NULL, NULL },
		{ "GET", "/library/v1/books/latest2", "showBook", NULL, "bookId=latest2", NULL },
		{ "PUT", "/library/v1/books/latest/cover", "setCover", NULL, NULL, NULL },
		{ "GET", "/library/v1/books/latest/pages/7", "showPage", NULL, "bookId=latest", "page=7" },
		{ "HEAD", "/library/v1/books/a b/pages/\xc3\xa8", "probePage", NULL, "bookId=a b", "page=\xc3\xa8" },
		/* the literal goes first, and is given up when it leads nowhere */
		{ "GET", "/library/v1/books/7/label", "showLabel", NULL, "shelf=books", "position=7" },
		{ "GET", "/library/v1/books/latest/label", "showLabel", NULL, "shelf=books", "position=latest" },
		/* the path is known, the method is not */
		{ "DELETE", "/library/v1/books", NULL, "GET, HEAD, POST", NULL, NULL },
		{ "OPTIONS", "/library/v1/books", NULL, "GET, HEAD, POST", NULL, NULL },
		{ "get", "/library/v1/books", NULL, "GET, HEAD, POST", NULL, NULL },
		{ "BREW", "/library/v1/books/12", NULL, "GET, HEAD, DELETE", NULL, NULL },
		{ "DELETE", "/library/v1/books/latest", NULL, "GET, HEAD", NULL, NULL },
		{ "GET", "/library/v1/books/latest/cover", NULL, "PUT", NULL, NULL },
		/* the path is not known */
		{ "GET", "/library/v1/book", NULL, NULL, NULL, NULL },
		{ "GET", "/library/v1/bookss", NULL, NULL, NULL, NULL },
		{ "GET", "/library/v1/books/", NULL, NULL, NULL, NULL },
		{ "GET", "/library/v1/books//pages/1", NULL, NULL, NULL, NULL },
		{ "GET", "/library/v1/books/12/pages", NULL, NULL, NULL, NULL },
		{ "GET", "/library/v1/books/12/pages/1/", NULL, NULL, NULL, NULL },
		{ "GET", "/library/v1/Books", NULL, NULL, NULL, NULL },
		{ "GET", "/library/v1", NULL, NULL, NULL, NULL },
		{ "GET", "library/v1/books", NULL, NULL, NULL, NULL },
		{ "GET", "/", NULL, NULL, NULL, NULL },
		{ "GET", "", NULL, NULL, NULL, NULL },
		{ "GET", "*", NULL, NULL, NULL, NULL },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct path_values values;
		const char *allow, *expected[2] = { cases[i].first, cases[i].second };
		const struct contract_operation *found =
			contract_match(library, cases[i].method, cases[i].path, strlen(cases[i].path), &values, &allow);

		if (found ? !cases[i].id || strcmp(found->id, cases[i].id) != 0 : cases[i].id != NULL)
			fail_msg("%s %s finds %s", cases[i].method, cases[i].path, found ? found->id : "nothing");
		if (!found && (allow ? !cases[i].allow || strcmp(allow, cases[i].allow) != 0 : cases[i].allow != NULL))
			fail_msg("%s %s allows %s", cases[i].method, cases[i].path, allow ? allow : "nothing");
		for (size_t j = 0; j < 2 && found; j++) {
			char text[64] = "";

			if (j < values.count)
				snprintf(text, sizeof text, "%s=%.*s", values.values[j].name,
					(int)values.values[j].length, values.values[j].value);
			assert_string_equal(text, expected[j] ? expected[j] : "");
		}
	}
}

/* The path need not end where its text ends: a query may follow. */
static void test_match_by_length(void **state)
{
	static const char target[] = "/library/v1/books/12?lang=it";
	struct path_values values;
	const char *allow;

	assert_string_equal(contract_match(library, "GET", target, 20, &values, &allow)->id, "showBook");
	assert_memory_equal(values.values[0].value, "12", values.values[0].length);
	assert_null(contract_match(library, "GET", target, 16, &values, &allow));
	assert_string_equal(contract_match(library, "GET", target, 17, &values, &allow)->id, "listBooks");
}

static const char *sent(void *context, enum parameter_place place, const char *name)
{
	const char *const *pairs = context;

	for (; *pairs; pairs += 3)
		if (place == (**pairs == 'q' ? IN_QUERY : IN_HEADER) && strcmp(pairs[1], name) == 0)
			return pairs[2];
	return NULL;
}

static void check_parameters(
	const char *id, const char *path, const char *const *pairs, const char *expected, const char *expected_errors)
{
	const struct contract_operation *operation = contract_operation_by_id(library, id);
	const char *names[8] = { NULL }, *allow;
	struct path_values values;
	json_auto_t *errors = json_array();

	for (size_t i = 0, count = 0; pairs[i]; i += 3)
		if (*pairs[i] == 'q')
			names[count++] = pairs[i + 1];
	assert_ptr_equal(contract_match(library, operation->method, path, strlen(path), &values, &allow), operation);
	json_auto_t *found = contract_check_parameters(operation, &values, names, sent, (void *)pairs, errors);
	char *text = json_dumps(found, JSON_COMPACT | JSON_SORT_KEYS), *error_text = json_dumps(errors, JSON_COMPACT);
	assert_string_equal(text, expected);
	assert_string_equal(error_text, expected_errors);
	free(text);
	free(error_text);
}

#define PAIRS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void test_parameters(void **state)
{
	check_parameters("listBooks", "/library/v1/books", PAIRS("q", "since", "2026-01-01"),
		"{\"limit\":20,\"since\":\"2026-01-01\"}", "[]");
	check_parameters("listBooks", "/library/v1/books",
		PAIRS("q", "since", "2026-01-01", "q", "limit", "7", "q", "tags", "a,b", "h", "X-Trace", "true"),
		"{\"X-Trace\":true,\"limit\":7,\"since\":\"2026-01-01\",\"tags\":[\"a\",\"b\"]}", "[]");
	check_parameters("showPage", "/library/v1/books/x/pages/7", PAIRS(NULL), "{\"bookId\":\"x\",\"page\":7}", "[]");
	check_parameters("addBook", "/library/v1/books", PAIRS("h", "Idempotency-Key", "abc"),
		"{\"Idempotency-Key\":\"abc\"}", "[]");
}

static void test_wrong_parameters(void **state)
{
	check_parameters("listBooks", "/library/v1/books",
		PAIRS("q", "limit", "0", "q", "color", "red", "q", "tags", "a,long", "h", "X-Trace", "1"),
		"{\"X-Trace\":\"1\",\"limit\":0,\"tags\":[\"a\",\"long\"]}",
		"[{\"parameter\":\"color\",\"in\":\"query\",\"code\":\"unknown\",\"detail\":\"is not a parameter of "
		"this "
		"operation\"},"
		"{\"parameter\":\"limit\",\"code\":\"minimum\",\"detail\":\"must be at least 1\",\"in\":\"query\"},"
		"{\"parameter\":\"tags\",\"code\":\"maxLength\",\"detail\":\"item 2 must have at most 3 "
		"characters\",\"in\":\"query\"},"
		"{\"parameter\":\"since\",\"in\":\"query\",\"code\":\"required\",\"detail\":\"is missing\"},"
		"{\"parameter\":\"X-Trace\",\"code\":\"type\",\"detail\":\"must be true or "
		"false\",\"in\":\"header\"}]");
	check_parameters("listBooks", "/library/v1/books",
		PAIRS("q", "since", "2026-01-01", "q", "since", "2026-01-02"),
		"{\"limit\":20,\"since\":\"2026-01-01\"}",
		"[{\"parameter\":\"since\",\"in\":\"query\",\"code\":\"repeated\",\"detail\":\"may be sent only "
		"once\"}]");
	check_parameters("showBook", "/library/v1/books/12",
		PAIRS("q", "lang", "it"), /* the operation's own goes first */
		"{\"bookId\":\"12\",\"lang\":\"it\"}",
		"[{\"parameter\":\"lang\",\"code\":\"enum\",\"detail\":\"must be one of: de\",\"in\":\"query\"},"
		"{\"parameter\":\"bookId\",\"code\":\"format\",\"detail\":\"must be a uuid\",\"in\":\"path\"}]");
	check_parameters("showPage", "/library/v1/books/\xff/pages/7", PAIRS(NULL), "{\"bookId\":null,\"page\":7}",
		"[{\"parameter\":\"bookId\",\"code\":\"format\",\"detail\":\"must be valid UTF-8\",\"in\":\"path\"}]");
}

static void test_body_for(void **state)
{
	static const struct {
		const char *content_type, *media_type;
	} cases[] = {
		{ "application/json", "application/json" },
		{ "application/json; charset=utf-8", "application/json" },
		{ "application/json;charset=utf-8", "application/json" },
		{ "Application/JSON", "application/json" },
		{ "image/png", "image/png" },
		{ "image/x", "image/x" },
		{ "image/jpeg", "image/*" },
		{ "imagex/png", "*/*" },
		{ "image/", "*/*" },
		{ "application/jsonx", "*/*" },
		{ "", NULL },
		{ NULL, NULL },
	};
	const struct contract_operation *add = contract_operation_by_id(library, "addBook");

	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct contract_body *body = contract_body_for(add, cases[i].content_type);

		if (cases[i].media_type)
			assert_string_equal(body ? body->media_type : "none", cases[i].media_type);
		else
			assert_null(body);
	}
	const struct contract_operation *cover = contract_operation_by_id(library, "setCover");
	static const char *const others[] = { "image/jpeg", "image", "image/", "image/pngx", "imagex/png",
		"text/plain" };

	for (size_t i = 0; i < COUNT(others); i++)
		assert_null(contract_body_for(cover, others[i]));
	assert_null(contract_body_for(contract_operation_by_id(library, "listBooks"), "application/json"));
}

/* A schema that refers to itself and, from there, to another file. */
static void test_body_schema(void **state)
{
	const struct contract_operation *add = contract_operation_by_id(library, "addBook");
	const struct contract_body *body = contract_body_for(add, "application/json");
	json_auto_t *book = json_pack(
		"{s:s, s:{s:s, s:{s:s}}}", "title", "I", "sequel", "title", "II", "sequel", "key", "0123456789");
	json_auto_t *errors = json_array();

	assert_int_equal(schema_check(body->schema, book, "", errors), 2);
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(errors, 0), "pointer")), "/sequel/sequel/title");
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(errors, 1), "pointer")), "/sequel/sequel/key");
}

static void *use_it(void *unused)
{
	const struct contract_body *body =
		contract_body_for(contract_operation_by_id(library, "addBook"), "application/json");
	json_auto_t *book = json_pack("{s:s, s:s}", "title", "I", "isbn", "9788804668237");
	const char *const pairs[] = { "q", "since", "2026-01-01", NULL };

	for (int i = 0; i < 300; i++) {
		if (schema_check(body->schema, book, "", NULL) != 0)
			return "the book is valid";
		check_parameters(
			"listBooks", "/library/v1/books", pairs, "{\"limit\":20,\"since\":\"2026-01-01\"}", "[]");
	}
	return NULL;
}

/* A contract is read by all threads at once, without a lock; the tsan preset looks whether that is so. */
static void test_threads_share(void **state)
{
	pthread_t threads[4];
	void *wrong;

	for (size_t i = 0; i < COUNT(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, use_it, NULL), 0);
	for (size_t i = 0; i < COUNT(threads); i++) {
		assert_int_equal(pthread_join(threads[i], &wrong), 0);
		assert_null(wrong);
	}
}

/* The suite's own contracts: a service with one that is wrong would not start. */
static void test_contracts_of_the_suite(void **state)
{
	static const char *const names[] = { "identity", "dossier", "payments", "notifications", "booking",
		"protocol" };

	for (size_t i = 0; i < COUNT(names); i++) {
		char *error, base[64];
		struct contract *contract = contract_load(PORTICO_SOURCE_DIR "/openapi", names[i], &error);

		if (!contract)
			fail_msg("%s", error);
		snprintf(base, sizeof base, "/%s/v1", names[i]);
		assert_string_equal(contract_base_path(contract), base);
		contract_free(contract);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_head),
		cmocka_unit_test(test_operation),
		cmocka_unit_test(test_defaults_of_an_operation),
		cmocka_unit_test(test_definition),
		cmocka_unit_test(test_match),
		cmocka_unit_test(test_match_by_length),
		cmocka_unit_test(test_parameters),
		cmocka_unit_test(test_wrong_parameters),
		cmocka_unit_test(test_body_for),
		cmocka_unit_test(test_body_schema),
		cmocka_unit_test(test_threads_share),
		cmocka_unit_test(test_contracts_of_the_suite),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
