/* The strict parser of message heads: what it reads, what it refuses, and that it never needs more than it has. */
#include "http1.h"
#include "unit.h"

static struct http1_head head;
static char buffer[65536];

/* Parses a copy; the status, or -1 when it is no whole head. */
static int request(const char *text)
{
	size_t scanned = 0, length = strlen(text);
	int end;

	memcpy(buffer, text, length + 1);
	end = http1_head_end(buffer, length, &scanned);
	return end > 0 ? http1_parse_request(buffer, (size_t)end, &head) : -1;
}

static int answer(const char *text, bool to_head_request)
{
	size_t length = strlen(text);

	memcpy(buffer, text, length + 1);
	return http1_parse_answer(buffer, length, to_head_request, &head);
}

static void reads_a_request(void **state)
{
	assert_int_equal(
		request("POST /a/b?c=d HTTP/1.1\r\nHost: example.it:8080\r\nContent-Length: 12\r\nX:\t v w \t\r\n\r\n"),
		0);
	assert_string_equal(head.method, "POST");
	assert_string_equal(head.target, "/a/b?c=d");
	assert_int_equal(head.target_length, 8);
	assert_true(head.keep_alive);
	assert_int_equal(head.body, BODY_LENGTH);
	assert_int_equal(head.content_length, 12);
	assert_int_equal(head.field_count, 3);
	assert_string_equal(http1_value(&head, FIELD_HOST), "example.it:8080");
	assert_string_equal(head.fields[2].value, "v w");
	assert_null(http1_value(&head, FIELD_AUTHORIZATION));
}

static void finds_the_end_in_any_pieces(void **state)
{
	static const char text[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\nrest";
	size_t scanned = 0;

	for (size_t length = 0; length < sizeof(text) - 5; length++)
		assert_int_equal(http1_head_end(text, length, &scanned), 0);
	assert_int_equal(http1_head_end(text, sizeof(text) - 1, &scanned), sizeof(text) - 5);
	scanned = 0;
	assert_int_equal(http1_head_end("GET / HTTP/1.1\n", 15, &scanned), -1);
}

static void drops_what_ends_at_this_hop(void **state)
{
	static const char *const kept[] = { "Host", "Authorization", "Accept", "X-Forwarded", "Porticos",
		"tracestate" };
	size_t passed = 0;

	assert_int_equal(
		request("GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, x-named\r\nConnection: other\r\nX-Named: "
			"1\r\n"
			"Other: 1\r\nKeep-Alive: 1\r\nTE: trailers\r\nTrailer: a\r\nUpgrade: h2c\r\nProxy-Connection: "
			"a\r\n"
			"PORTICO-Caller: {}\r\nportico-x: 1\r\nPortico-: 1\r\nX-Forwarded-For: 1\r\nForwarded: "
			"a\r\nX-Request-Id: "
			"1\r\n"
			"Authorization: a\r\nAccept: a\r\nX-Forwarded: a\r\nPorticos: a\r\ntracestate: a=b\r\n\r\n"),
		0);
	for (size_t i = 0; i < head.field_count; i++) {
		if (!head.fields[i].dropped)
			assert_string_equal(head.fields[i].name, kept[passed++]);
	}
	assert_int_equal(passed, COUNT(kept));
}

static void keeps_what_is_for_the_whole_way(void **state)
{
	assert_int_equal(request("GET / HTTP/1.1\r\nHost: x\r\nConnection: host\r\n\r\n"), 400);
	assert_int_equal(
		request("GET / HTTP/1.1\r\nHost: x\r\nConnection: a, Authorization\r\nAuthorization: b\r\n\r\n"), 400);
	assert_int_equal(
		request("POST / HTTP/1.1\r\nConnection: Content-Length\r\nHost: x\r\nContent-Length: 2\r\n\r\n"), 400);
	assert_int_equal(request("GET / HTTP/1.1\r\nHost: x\r\nConnection: TE, Upgrade, Portico-Caller, close\r\n"
				 "TE: trailers\r\nUpgrade: h2c\r\nPortico-Caller: {}\r\n\r\n"),
		0);
}

static void knows_when_the_connection_ends(void **state)
{
	assert_int_equal(request("GET / HTTP/1.1\r\nHost: x\r\nConnection: a, Close\r\n\r\n"), 0);
	assert_false(head.keep_alive);
	assert_int_equal(request("GET / HTTP/1.0\r\n\r\n"), 0);
	assert_false(head.keep_alive);
	assert_int_equal(request("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), 0);
	assert_true(head.keep_alive);
	assert_int_equal(request("GET / HTTP/1.1\r\nHost: x\r\nConnection: close, keep-alive\r\n\r\n"), 0);
	assert_false(head.keep_alive);
}

static void takes_absolute_form_for_its_host_only(void **state)
{
	assert_int_equal(request("GET http://X:80/p?q HTTP/1.1\r\nHost: x:80\r\n\r\n"), 0);
	assert_string_equal(head.target, "/p?q");
	assert_int_equal(head.target_length, 4);
	assert_int_equal(request("GET http://xy/p HTTP/1.1\r\nHost: x\r\n\r\n"), 400);
	assert_int_equal(request("GET http://x@evil/p HTTP/1.1\r\nHost: x\r\n\r\n"), 400);
	assert_int_equal(request("GET http://x HTTP/1.1\r\nHost: x\r\n\r\n"), 400);
	assert_int_equal(request("GET http:///p HTTP/1.1\r\nHost: x\r\n\r\n"), 400);
	assert_int_equal(request("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"), 0);
	assert_int_equal(request("GET * HTTP/1.1\r\nHost: x\r\n\r\n"), 400);
}

static void reads_hosts(void **state)
{
	static const char *const good[] = { "x", "x:1", "a-b.c_d:65535", "127.0.0.1", "[::1]", "[::ffff:1.2.3.4]:80" };
	static const char *const bad[] = { "", ":80", "x:a", "x:123456", "x/y", "a@b", "a b", "[::1", "[]", "[g]",
		"x,y", "%41" };
	char text[200];

	for (size_t i = 0; i < COUNT(good); i++) {
		snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", good[i]);
		assert_int_equal(request(text), 0);
	}
	for (size_t i = 0; i < COUNT(bad); i++) {
		snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", bad[i]);
		assert_int_equal(request(text), 400);
	}
}

static void refuses_two_ways_to_say_the_length(void **state)
{
	static const char *const bad[] = { "Content-Length: 1\r\nContent-Length: 1",
		"Content-Length: 1\r\nTransfer-Encoding: chunked", "Content-Length: 1, 1", "Content-Length: 1 1",
		"Content-Length: -0", "Content-Length: 1e3", "Content-Length: 9999999999999999999",
		"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked" };
	char text[300];

	for (size_t i = 0; i < COUNT(bad); i++) {
		snprintf(text, sizeof(text), "POST / HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n", bad[i]);
		assert_int_equal(request(text), 400);
	}
	assert_int_equal(request("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: ChUnKeD\r\n\r\n"), 0);
	assert_int_equal(head.body, BODY_CHUNKED);
	assert_int_equal(request("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, chunked\r\n\r\n"), 501);
	assert_int_equal(request("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"), 0);
	assert_int_equal(head.body, BODY_NONE);
}

static void reads_an_answer(void **state)
{
	assert_int_equal(answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nServer: s\r\n\r\n", false), 0);
	assert_int_equal(head.status, 200);
	assert_string_equal(head.reason, "OK");
	assert_int_equal(head.body, BODY_LENGTH);
	assert_true(head.fields[1].dropped);
	assert_int_equal(answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true), 0);
	assert_int_equal(head.body, BODY_NONE);
	assert_int_equal(head.content_length, 5);
	assert_int_equal(answer("HTTP/1.1 204 \r\nContent-Length: 5\r\n\r\n", false), 0);
	assert_int_equal(head.body, BODY_NONE);
	assert_int_equal(answer("HTTP/1.1 200\r\n\r\n", false), 0);
	assert_string_equal(head.reason, "");
	assert_int_equal(head.body, BODY_UNTIL_CLOSE);
	assert_int_equal(answer("HTTP/1.0 200 OK\r\n\r\n", false), 0);
	assert_false(head.keep_alive);
}

static void refuses_answers_that_are_none(void **state)
{
	static const char *const bad[] = { "HTTP/2 200 OK\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n",
		"HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 099 X\r\n\r\n", "HTTP/1.1 600 X\r\n\r\n",
		"HTTP/1.1  200 OK\r\n\r\n", "ICY 200 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "HTTP/1.1 200 O\x01K\r\n\r\n" };

	for (size_t i = 0; i < COUNT(bad); i++)
		assert_int_equal(answer(bad[i], false), 502);
}

static void bounds_fields_and_target(void **state)
{
	static char text[40000];
	size_t length = (size_t)sprintf(text, "GET / HTTP/1.1\r\nHost: x\r\n");

	for (int i = 1; i < HTTP1_MAX_FIELDS; i++)
		length += (size_t)sprintf(text + length, "A: b\r\n");
	strcpy(text + length, "\r\n");
	assert_int_equal(request(text), 0);
	strcpy(text + length, "A: b\r\n\r\n");
	assert_int_equal(request(text), 431);
	length = (size_t)sprintf(text, "GET /");
	memset(text + length, 'a', HTTP1_MAX_TARGET);
	strcpy(text + length + HTTP1_MAX_TARGET, " HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_int_equal(request(text), 414);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_request),
		cmocka_unit_test(finds_the_end_in_any_pieces),
		cmocka_unit_test(drops_what_ends_at_this_hop),
		cmocka_unit_test(keeps_what_is_for_the_whole_way),
		cmocka_unit_test(knows_when_the_connection_ends),
		cmocka_unit_test(takes_absolute_form_for_its_host_only),
		cmocka_unit_test(reads_hosts),
		cmocka_unit_test(refuses_two_ways_to_say_the_length),
		cmocka_unit_test(reads_an_answer),
		cmocka_unit_test(refuses_answers_that_are_none),
		cmocka_unit_test(bounds_fields_and_target),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
