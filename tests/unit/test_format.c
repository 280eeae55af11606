/* The formats of schemas, each with texts that have it and texts that nearly do. The codes are those of the published
 * test vectors: real check characters, and the mistakes that official documents print. */
#include "unit.h"
#include "schema.h"

struct sample {
	const char *format, *text;
	bool holds;
};

static void check(const struct sample *samples, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		assert_true(format_known(samples[i].format));
		if (format_holds(samples[i].format, samples[i].text) != samples[i].holds)
			fail_msg("%s '%s' should %s", samples[i].format, samples[i].text,
				samples[i].holds ? "hold" : "not hold");
	}
}

static void test_codice_fiscale(void **state)
{
	static const struct sample samples[] = {
		{ "codice-fiscale", "RSSMRA85T10A562S", true },
		{ "codice-fiscale", "RSSMRA85T10A56NH", true }, /* omocodia: the last digit replaced */
		{ "codice-fiscale", "RSSMRA85T10A5SNT", true }, /* the last two */
		{ "codice-fiscale", "RSSMRAURTMLARSNL", true }, /* all seven */
		{ "codice-fiscale", "BNCGVN90A41H501P", true }, /* a woman: day + 40 */
		{ "codice-fiscale", "RSSMRA60D20F205C", true },
		{ "codice-fiscale", "PRVGNN90R10H501Q", true },
		{ "codice-fiscale", "GDASDV00A01H501J", true },
		{ "codice-fiscale", "SPNDNL80R13C555T", true },
		{ "codice-fiscale", "RSSMRA85B30A562G", true },	 /* 30 February: such codes exist */
		{ "codice-fiscale", "RSSMRA85T32A562Y", false }, /* day 32 */
		{ "codice-fiscale", "RSSMRA85T10A562T", false }, /* wrong control character */
		{ "codice-fiscale", "RSSMRA85T1OA562S", false }, /* the letter O is not one of omocodia */
		{ "codice-fiscale", "RSSMRA85F10A562R", false }, /* F is no month */
		{ "codice-fiscale", "SPNDNL80R13C555X", false }, /* App IO's own example */
		{ "codice-fiscale", "RSSMRA60D20F205R", false }, /* printed in the model of the payment notice */
		{ "codice-fiscale", "rssmra85t10a562s", false },
		{ "codice-fiscale", "RSSMRA85T10A562", false },
		{ "codice-fiscale", "RSSMRA85T10A562S ", false },
		{ "codice-fiscale", "RSSMRA85T31A562T", true },
		{ "codice-fiscale", "RSSMRA85T41A562U", true },
		{ "codice-fiscale", "RSSMRA85T71A562X", true },
		{ "codice-fiscale", "RSSMRA85T00A562R", false },
		{ "codice-fiscale", "RSSMRA85T40A562V", false },
		{ "codice-fiscale", "RSSMRA85T72A562C", false },
		{ "codice-fiscale", "RSSMRA85TLLA562F", false },
		{ "codice-fiscale", "RSSMRA85T99A562U", false },
		{ "codice-fiscale", "", false },
		{ "codice-fiscale", "01199250158", true }, /* the municipality of Milan */
		{ "codice-fiscale", "97735020584", true }, /* AgID */
		{ "codice-fiscale", "00488410010", true },
		{ "codice-fiscale", "01199250159", false },
		{ "codice-fiscale", "77777777777", false }, /* pagoPA's test entity */
		{ "codice-fiscale", "00000000000", false },
		{ "codice-fiscale", "0119925015", false },
		{ "codice-fiscale", "0119925015A", false },
	};

	check(samples, COUNT(samples));
	assert_true(format_codice_fiscale("RSSMRA85T10A562S"));
	assert_false(format_codice_fiscale("RSSMRA85T10A562T"));
}

/* One character changed at any place is noticed: that is what the control character is for. */
static void test_control_character_finds_every_single_change(void **state)
{
	static const char code[] = "RSSMRA85T10A562S";

	for (size_t i = 0; i < 16; i++)
		for (const char *other = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"; *other; other++) {
			char changed[sizeof code];

			memcpy(changed, code, sizeof code);
			changed[i] = *other;
			if (*other != code[i] && format_codice_fiscale(changed))
				fail_msg("%s holds as well as %s", changed, code);
		}
}

static void test_payment_codes(void **state)
{
	static const struct sample samples[] = {
		{ "iuv", "00000000000000104", true },
		{ "iuv", "01000000000000144", true },
		{ "iuv", "02123456789012356", true },
		{ "iuv", "01999999999999982", true },
		{ "iuv", "47000000000000124", true },
		{ "iuv", "45002025000012318", true },
		{ "iuv", "03000000000009229", true },
		{ "iuv", "02123456789012357", false },
		{ "iuv", "0212345678901235", false },
		{ "iuv", "021234567890123560", false },
		{ "iuv", "0212345678901235a", false },
		{ "iuv", "", false },
		{ "notice-number", "302123456789012356", true },
		{ "notice-number", "347000000000000124", true },
		{ "notice-number", "311111111112222222", false }, /* the example of SANP, whose check should be 47 */
		{ "notice-number", "311111111111222247", false },
		{ "notice-number", "001000000000000141", false },
		{ "notice-number", "100000000000000001", false },
		{ "notice-number", "02123456789012356", false },
		{ "notice-number", "30212345678901235 ", false },
	};

	check(samples, COUNT(samples));
}

static void test_ipa_code(void **state)
{
	static const struct sample samples[] = {
		{ "ipa-code", "c_a944", true },
		{ "ipa-code", "c_a662", true },
		{ "ipa-code", "agid", true },
		{ "ipa-code", "m_pi", true },
		{ "ipa-code", "istsc_boic82100c", true },
		{ "ipa-code", "C_A944", false },
		{ "ipa-code", "c a944", false },
		{ "ipa-code", "_a944", false },
		{ "ipa-code", "a", false },
		{ "ipa-code", "", false },
		{ "ipa-code", "c_a94400000000000000000", false },
		{ "ipa-code", "c_a944'", false },
	};

	check(samples, COUNT(samples));
}

static void test_times(void **state)
{
	static const struct sample samples[] = {
		{ "date", "2026-11-21", true },
		{ "date", "2024-02-29", true },
		{ "date", "2000-02-29", true },
		{ "date", "2026-02-29", false },
		{ "date", "1900-02-29", false },
		{ "date", "2026-04-31", false },
		{ "date", "2026-13-01", false },
		{ "date", "2026-00-10", false },
		{ "date", "2026-01-00", false },
		{ "date", "2026-1-01", false },
		{ "date", "21-11-2026", false },
		{ "date", "2026-11-21T", false },
		{ "date", "0000-01-01", false },
		{ "date", "2026/11/21", false },
		{ "date", "", false },
		{ "date-time", "2026-11-21T09:30:00Z", true },
		{ "date-time", "2026-11-21t09:30:00z", true },
		{ "date-time", "2026-11-21T09:30:00.123456Z", true },
		{ "date-time", "2026-11-21T09:30:00+01:00", true },
		{ "date-time", "2026-11-21T09:30:00-23:59", true },
		{ "date-time", "2016-12-31T23:59:60Z", true },
		{ "date-time", "2017-01-01T00:59:60+01:00", true },
		{ "date-time", "2016-12-31T22:59:60Z", false },
		{ "date-time", "2026-11-21T24:00:00Z", false },
		{ "date-time", "2026-11-21T09:60:00Z", false },
		{ "date-time", "2026-11-21T09:30:61Z", false },
		{ "date-time", "2026-11-21T09:30:00", false },
		{ "date-time", "2026-11-21T09:30Z", false },
		{ "date-time", "2026-11-21 09:30:00Z", false },
		{ "date-time", "2026-11-21T09:30:00.Z", false },
		{ "date-time", "2026-11-21T09:30:00+0100", false },
		{ "date-time", "2026-11-21T09:30:00+24:00", false },
		{ "date-time", "2026-11-21T09:30:00+01:60", false },
		{ "date-time", "2026-02-30T09:30:00Z", false },
		{ "date-time", "2026-11-21T", false },
		{ "date-time", "2026-11-21T09:30:00Zx", false },
		{ "date-time", "2026-11-21", false },
	};

	check(samples, COUNT(samples));
}

static void test_addresses(void **state)
{
	static const struct sample samples[] = {
		{ "email", "maria.rossi@example.it", true },
		{ "email", "m+dossier@mail.example.it", true },
		{ "email", "o'neil@example.it", true },
		{ "email", "maria.rossi", false },
		{ "email", "@example.it", false },
		{ "email", "maria@", false },
		{ "email", "maria@localhost", false },
		{ "email", ".maria@example.it", false },
		{ "email", "maria..rossi@example.it", false },
		{ "email", "maria.@example.it", false },
		{ "email", "maria rossi@example.it", false },
		{ "email", "maria@example..it", false },
		{ "email", "maria@-example.it", false },
		{ "email", "maria@example-.it", false },
		{ "email", "maria@example.it.", false },
		{ "email", "a@b@example.it", false },
		{ "email", "maria@example.it\r\nBcc: x@y.it", false },
		{ "email", "maria@exa_mple.it", false },
		{ "email", "mar\xc3\xaa@example.it", false },
		{ "uri", "https://api.portico.example/dossier/v1?x=1&y=%20#top", true },
		{ "uri", "mailto:maria@example.it", true },
		{ "uri", "urn:uuid:0192f0a1", true },
		{ "uri", "http://[2001:db8::1]:8080/", true },
		{ "uri", "http://user:pw@host:80/a", true },
		{ "uri", "about:blank", true },
		{ "uri", "/problems/not-found", false },
		{ "uri", "https://exa mple.it", false },
		{ "uri", "https://example.it/%2", false },
		{ "uri", "https://example.it/%zz", false },
		{ "uri", "1http://example.it", false },
		{ "uri", "https://example.it:port/", false },
		{ "uri", "http://[::1/", false },
		{ "uri", "http://[]/", false },
		{ "uri", "https://example.it/\"", false },
		{ "uri", "https://example.it/<a>", false },
		{ "uri", "https://example.it/a#b#c", false },
		{ "uri", "://example.it", false },
		{ "uri", "", false },
		{ "uri-reference", "/problems/not-found", true },
		{ "uri-reference", "../a?b#c", true },
		{ "uri-reference", "//host/a", true },
		{ "uri-reference", "", true },
		{ "uri-reference", "https://example.it", true },
		{ "uri-reference", "a:b c", false },
		{ "uri-reference", "1a:b", false },
		{ "uri-reference", "\\a", false },
	};

	check(samples, COUNT(samples));
}

static void test_plain(void **state)
{
	static const struct sample samples[] = {
		{ "uuid", "0192f0a1-7c3e-7d9a-8b1e-0242ac120002", true },
		{ "uuid", "0192F0A1-7C3E-7D9A-8B1E-0242AC120002", true },
		{ "uuid", "0192f0a17c3e7d9a8b1e0242ac120002", false },
		{ "uuid", "0192f0a1-7c3e-7d9a-8b1e-0242ac12000g", false },
		{ "uuid", "0192f0a1-7c3e-7d9a-8b1e-0242ac1200021", false },
		{ "uuid", "{192f0a1-7c3e-7d9a-8b1e-0242ac12000}", false },
		{ "int32", "2147483647", true },
		{ "int32", "-2147483648", true },
		{ "int32", "2147483648", false },
		{ "int32", "1.0", false },
		{ "int32", "", false },
		{ "int32", "-", false },
		{ "int64", "9223372036854775807", true },
		{ "int64", "9223372036854775808", false },
		{ "int64", "-9223372036854775809", false },
		{ "int64", "+1", false },
		{ "double", "1e308", true },
		{ "double", "1e309", false },
		{ "double", "abc", false },
		{ "double", "1.5.2", false },
		{ "float", "3.4e38", true },
		{ "float", "3.5e38", false },
		{ "byte", "", true },
		{ "byte", "aGk=", true },
		{ "byte", "aGkh", true },
		{ "byte", "aA==", true },
		{ "byte", "aGk", false },
		{ "byte", "a===", false },
		{ "byte", "aG=h", false },
		{ "byte", "aGk=\n", false },
		{ "byte", "aG-_", false },
		{ "binary", "anything at all", true },
		{ "password", "anything at all", true },
	};

	check(samples, COUNT(samples));
	assert_false(format_known("regex"));
	assert_false(format_known("Uuid"));
	assert_false(format_holds("regex", "a"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_codice_fiscale),
		cmocka_unit_test(test_control_character_finds_every_single_change),
		cmocka_unit_test(test_payment_codes),
		cmocka_unit_test(test_ipa_code),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_plain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
