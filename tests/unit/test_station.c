/* What the creditor's station makes of XML from strangers: the envelope, the order and form of the elements, and what
 * it writes. */
#include "unit.h"
#include "arena.h"
#include "soap.h"
#include "station_schema.h"

#define ENVELOPE(body)                                                                                                 \
	"<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:p=\"" PA_FOR_NODE "\"><s:Body>" body  \
	"</s:Body></s:Envelope>"
#define QR "<qrCode><fiscalCode>77777777777</fiscalCode><noticeNumber>302123456789012356</noticeNumber></qrCode>"
#define STATION "<idPA>7</idPA><idBrokerPA>7</idBrokerPA><idStation>7_01</idStation>"
#define ASKED(members) ENVELOPE("<p:paVerifyPaymentNoticeReq>" members "</p:paVerifyPaymentNoticeReq>")

static xmlNode *read_text(struct arena *arena, const char *text)
{
	const char *error = NULL;
	xmlNode *body = soap_read(arena, text, strlen(text), &error);

	assert_true((body == NULL) == (error != NULL));
	return body;
}

static void refuses_what_is_no_plain_envelope(void **state)
{
	static const char *const refused[] = {
		"",
		"hello",
		"<a/>",
		ENVELOPE(""),
		ENVELOPE("<a/><b/>"),
		"<!DOCTYPE a>" ENVELOPE("<a/>"),
		"<!DOCTYPE a [<!ENTITY x \"y\">]>" ENVELOPE("<a>&x;</a>"),
		"<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>" ENVELOPE("<a>&x;</a>"),
		"<!DOCTYPE a SYSTEM \"file:///etc/passwd\">" ENVELOPE("<a/>"),
		"<?xml version=\"1.0\"?><!--c--><!DOCTYPE a [<!ENTITY % x SYSTEM \"http://127.0.0.1/\">%x;]>" ENVELOPE(
			"<a/>"),
		ENVELOPE("<a>&x;</a>"),
		"<Envelope><Body><a/></Body></Envelope>",
		"<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\"><s:Body><a/></s:Body></s:Envelope>",
	};

	for (size_t i = 0; i < COUNT(refused); i++) {
		struct arena *arena = arena_new();

		assert_null(read_text(arena, refused[i]));
		arena_free(arena);
	}
}

static void follows_the_sequence_of_the_schema(void **state)
{
	static const struct {
		const char *text;
		bool holds;
	} cases[] = {
		{ ASKED(STATION QR), true },
		{ ASKED("\n  <!-- spaces and comments -->\n" STATION "\n" QR "\n"), true },
		{ ASKED(STATION), false },
		{ ASKED(QR STATION), false },
		{ ASKED(STATION QR QR), false },
		{ ASKED(STATION QR "<more/>"), false },
		{ ASKED("<idPA/><idBrokerPA>7</idBrokerPA><idStation>7</idStation>" QR), false },
		{ ASKED("<p:idPA>7</p:idPA><idBrokerPA>7</idBrokerPA><idStation>7</idStation>" QR), false },
		{ ASKED("<idPA>123456789012345678901234567890123456</idPA><idBrokerPA>7</idBrokerPA><idStation>7</"
			"idStation>" QR),
			false },
		{ ASKED(STATION "<qrCode><fiscalCode>7777777777x</fiscalCode><noticeNumber>302123456789012356</"
				"noticeNumber></qrCode>"),
			false },
		{ ASKED(STATION "<qrCode>text</qrCode>"), false },
		{ ASKED("<idPA><b/>7</idPA><idBrokerPA>7</idBrokerPA><idStation>7</idStation>" QR), false },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct arena *arena = arena_new();
		const xmlNode *body = read_text(arena, cases[i].text);
		const char *error = station_schema_check(arena, body, payment_asked);

		if ((error == NULL) != cases[i].holds)
			fail_msg("case %zu: %s", i, error ? error : "accepted");
		arena_free(arena);
	}
}

static void knows_amounts(void **state)
{
	static const struct {
		const char *amount;
		bool holds;
	} cases[] = {
		{ "0.01", true },
		{ "30.00", true },
		{ "000000000000030.00", true },
		{ "999999999.99", true },
		{ "1000000000.00", false },
		{ "30", false },
		{ "30.0", false },
		{ "30.000", false },
		{ "30,00", false },
		{ ".50", false },
		{ "-1.00", false },
		{ "", false },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct arena *arena = arena_new();
		const char *text = arena_printf(arena, ASKED(STATION QR "<amount>%s</amount>"), cases[i].amount);

		assert_int_equal(
			station_schema_check(arena, read_text(arena, text), payment_taken) == NULL, cases[i].holds);
		arena_free(arena);
	}
}

static void writes_what_it_can_read(void **state)
{
	struct arena *arena = arena_new();
	json_t *members = json_pack("{s:s s:b s:i s:n s:[{s:s}, {s:s}]}", "text", "<a> & \"b\" \x01ù\r\n", "flag", 1,
		"number", 42, "nothing", "list", "n", "1", "n", "2");
	const char *text = soap_write(arena, "answer", members);
	const json_t *back = soap_json(arena, read_text(arena, text));
	json_t *expected = json_pack("{s:s s:s s:s s:[{s:s}, {s:s}]}", "text", "<a> & \"b\" ù\r\n", "flag", "true",
		"number", "42", "list", "n", "1", "n", "2");

	assert_true(json_equal(back, expected));
	assert_string_equal(json_object_iter_key(json_object_iter((json_t *)back)), "text");
	json_decref(members);
	json_decref(expected);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_what_is_no_plain_envelope),
		cmocka_unit_test(follows_the_sequence_of_the_schema),
		cmocka_unit_test(knows_amounts),
		cmocka_unit_test(writes_what_it_can_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
