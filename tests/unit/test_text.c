/* Encodings of text: the one form of a value is taken, any other refused. */
#include "text.h"
#include "unit.h"

static void hexadecimal(void **state)
{
	char hex[9];

	text_hex(hex, "\x00\x7f\xff\x10", 4);
	assert_string_equal(hex, "007fff10");
	assert_int_equal(text_hex_value('a'), 10);
	assert_int_equal(text_hex_value('F'), 15);
	assert_int_equal(text_hex_value('g'), -1);
	assert_int_equal(text_hex_value('\0'), -1);
	assert_int_equal(text_hex_value('\x10'), -1);
}

static void sha256(void **state)
{
	char hex[TEXT_SHA256_MAX];

	text_sha256(hex, "abc", 3); /* FIPS 180-4, appendix B.1 */
	assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void secrets(void **state)
{
	assert_true(text_same_secret("abc", "abc"));
	assert_true(text_same_secret("", ""));
	assert_false(text_same_secret("abc", "abd"));
	assert_false(text_same_secret("abc", "abcd"));
	assert_false(text_same_secret("abcd", "abc"));
}

static void base64url(void **state)
{
	static const struct {
		const char *text, *bytes;
	} vectors[] = { { "", "" }, { "Zg", "f" }, { "Zm8", "fo" }, { "Zm9v", "foo" }, { "Zm9vYg", "foob" },
		{ "Zm9vYmE", "fooba" }, { "Zm9vYmFy", "foobar" }, { "-_8", "\xfb\xff" } };
	static const char *const refused[] = { "Z", "Zg==", "Zh", "Zm9", "Zm+v", "Zm/v", "Zm 9v", "Zm9vY" };
	struct arena *arena = arena_new();
	unsigned char out[16];
	size_t length;

	for (size_t i = 0; i < COUNT(vectors); i++) {
		size_t size = strlen(vectors[i].bytes);

		assert_string_equal(text_base64url(arena, vectors[i].bytes, size), vectors[i].text);
		assert_int_equal(
			text_base64url_decode(vectors[i].text, strlen(vectors[i].text), out, sizeof out), size);
		assert_memory_equal(out, vectors[i].bytes, size);
		assert_string_equal(text_base64url_bytes(arena, vectors[i].text, strlen(vectors[i].text), &length),
			vectors[i].bytes);
		assert_int_equal(length, size);
	}
	for (size_t i = 0; i < COUNT(refused); i++) {
		assert_int_equal(text_base64url_decode(refused[i], strlen(refused[i]), out, sizeof out), -1);
		assert_null(text_base64url_bytes(arena, refused[i], strlen(refused[i]), &length));
	}
	assert_int_equal(text_base64url_decode("Zm9vYmFy", 8, out, 5), -1);
	arena_free(arena);
}

static void markup(void **state)
{
	struct arena *arena = arena_new();

	assert_string_equal(text_escaped(arena, "<a href=\"x\">Forlì & 'Cesena'</a>"),
		"&lt;a href=&quot;x&quot;&gt;Forlì &amp; &#39;Cesena&#39;&lt;/a&gt;");
	assert_string_equal(text_escaped(arena, "a\x01\x1b\tb\nc\rd"), "a\tb\nc&#13;d");
	assert_string_equal(text_escaped(arena, ""), "");
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(hexadecimal), cmocka_unit_test(sha256),
		cmocka_unit_test(secrets), cmocka_unit_test(base64url), cmocka_unit_test(markup) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
