/* The chunked coding: the same content whatever pieces it comes in, and nothing that two readers could read in two
 * ways. */
#include "body.h"
#include "chunked.h"
#include "unit.h"

/* Decodes text in pieces of the given size. The content, or NULL when it is malformed or not complete. */
static const char *decode(const char *text, size_t piece, size_t *ret_rest)
{
	static char content[4096];
	struct chunked chunked = { 0 };
	size_t at = 0, length = strlen(text), filled = 0;

	while (at < length) {
		size_t used, data, part = length - at < piece ? length - at : piece;
		enum chunked_result result = chunked_read(&chunked, text + at, part, &used, &data);

		if (result == CHUNKED_MALFORMED)
			return NULL;
		memcpy(content + filled, text + at + used - data, data);
		filled += data;
		at += used;
		content[filled] = '\0';
		*ret_rest = length - at;
		if (result == CHUNKED_DONE)
			return content;
	}
	return NULL;
}

static void reads_in_any_pieces(void **state)
{
	static const char text[] =
		"5\r\nhello\r\n0001;ext=\"a b\"\r\n \r\nA\r\nbeautiful,\r\n0;last\r\nTrailer: x\r\nB:\r\n\r\nnext";
	size_t rest;

	for (size_t piece = 1; piece <= sizeof(text); piece++) {
		assert_string_equal(decode(text, piece, &rest), "hello beautiful,");
		assert_int_equal(rest, 4);
	}
	assert_string_equal(decode("0\r\n\r\n", 100, &rest), "");
}

static void refuses_what_is_malformed(void **state)
{
	static const char *const bad[] = { "\r\n", "g\r\n", "-1\r\n", "+1\r\na\r\n0\r\n\r\n", "0x1\r\na\r\n0\r\n\r\n",
		" 1\r\na\r\n0\r\n\r\n", "1 \r\na\r\n0\r\n\r\n", "1\na\r\n0\r\n\r\n", "1\r\na\n0\r\n\r\n",
		"1\r\nab\r\n0\r\n\r\n", "1\r\na0\r\n\r\n", "1\rx\r\n", "1;\x01\r\na\r\n0\r\n\r\n",
		"1;\n\r\na\r\n0\r\n\r\n", "0\r\n\n", "0\r\nA\r\n\r\n", "0\r\n: b\r\n\r\n", "0\r\n A: b\r\n\r\n",
		"0\r\nA : b\r\n\r\n", "0\r\nA: b\n\r\n", "0\r\nA: \x01\r\n\r\n", "ffffffffffffffff\r\n",
		"10000000000000000\r\n", "0000000000000001\r\na\r\n0\r\n\r\n" };
	size_t rest;

	for (size_t i = 0; i < COUNT(bad); i++) {
		assert_null(decode(bad[i], 1, &rest));
		assert_null(decode(bad[i], 100, &rest));
	}
}

static void is_not_complete_before_its_end(void **state)
{
	static const char text[] = "1\r\na\r\n0\r\nA: b\r\n\r\n";
	char cut[sizeof(text)];
	size_t rest;

	for (size_t length = 0; length < sizeof(text) - 1; length++) {
		memcpy(cut, text, length);
		cut[length] = '\0';
		assert_null(decode(cut, 100, &rest));
	}
}

static void bounds_what_is_dropped(void **state)
{
	static char text[8000] = "1;";
	size_t rest;

	memset(text + 2, 'a', 300);
	strcpy(text + 302, "\r\na\r\n0\r\n\r\n");
	assert_null(decode(text, 100, &rest));
	strcpy(text, "0\r\n");
	for (int i = 0; i < 900; i++)
		strcat(text, "AB:cd\r\n");
	assert_true(strlen(text) < sizeof(text) - 1);
	strcat(text, "\r\n");
	assert_string_equal(decode(text, 100, &rest), "");
	memset(text + 4, 'a', 5000);
	assert_null(decode(text, 100, &rest));
}

/* body.c: out of one framing, into the other, and back. */
static void survives_reframing(void **state)
{
	static char first_data[BUFFER_SIZE], second_data[BUFFER_SIZE], third_data[BUFFER_SIZE];
	struct buffer first = { first_data, 0, 0 }, second = { second_data, 0, 0 }, third = { third_data, 0, 0 };
	struct http1_head plain = { .body = BODY_LENGTH, .content_length = 10000 }, chunks = { .body = BODY_CHUNKED };
	struct body in = body_start(&plain, BODY_CHUNKED, UINT64_MAX),
		    out = body_start(&chunks, BODY_LENGTH, UINT64_MAX);

	for (int i = 0; i < 10000; i++)
		first_data[i] = (char)(i * 7);
	while (!in.done) {
		first.end = first.end + 997 < 10000 ? first.end + 997 : 10000;
		body_move(&in, &first, &second);
		assert_int_not_equal(body_move(&out, &second, &third), BODY_MALFORMED);
		buffer_compact(&second);
	}
	assert_int_equal(body_move(&out, &second, &third), BODY_COMPLETE);
	assert_true(out.done);
	assert_int_equal(buffer_length(&third), 10000);
	assert_memory_equal(third_data, first_data, 10000);
}

static void waits_when_there_is_no_room(void **state)
{
	static char from_data[BUFFER_SIZE], to_data[BUFFER_SIZE];
	struct buffer from = { from_data, 0, 0 }, to = { to_data, 0, BUFFER_SIZE - 22 };
	struct http1_head head = { .body = BODY_LENGTH, .content_length = 100 };
	struct body body = body_start(&head, BODY_CHUNKED, 100);

	from.end = 100;
	assert_int_equal(body_move(&body, &from, &to), BODY_MOVED); /* one byte and its framing */
	assert_int_equal(body.passed, 1);
	assert_int_equal(body_move(&body, &from, &to), BODY_WAITS);
	to.end = 0;
	assert_int_equal(body_move(&body, &from, &to), BODY_COMPLETE);
}

static void counts_against_the_limit(void **state)
{
	static char from_data[BUFFER_SIZE] = "a\r\n0123456789\r\n1\r\n0\r\n0\r\n\r\n";
	struct buffer from = { from_data, 0, 26 };
	struct http1_head head = { .body = BODY_CHUNKED };
	struct body enough = body_start(&head, BODY_CHUNKED, 11), little = body_start(&head, BODY_CHUNKED, 10);

	assert_int_equal(body_move(&enough, &from, NULL), BODY_COMPLETE);
	from.start = 0;
	assert_int_equal(body_move(&little, &from, NULL), BODY_TOO_LARGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_in_any_pieces),
		cmocka_unit_test(refuses_what_is_malformed),
		cmocka_unit_test(is_not_complete_before_its_end),
		cmocka_unit_test(bounds_what_is_dropped),
		cmocka_unit_test(survives_reframing),
		cmocka_unit_test(waits_when_there_is_no_room),
		cmocka_unit_test(counts_against_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
