/* Any bytes as a call of the pagoPA node. Whatever they are, reading ends; a DTD never gets through; what holds by the
 * schema can be written again and then holds still. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "arena.h"
#include "soap.h"
#include "station_schema.h"

static void check(struct arena *arena, const xmlNode *body, const struct schema_element *sequence)
{
	const char *error = NULL, *text;
	const xmlNode *again;

	if (station_schema_check(arena, body, sequence))
		return;
	text = soap_write(arena, "call", soap_json(arena, body));
	again = soap_read(arena, text, strlen(text), &error);
	if (!again || station_schema_check(arena, again, sequence))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	const char *error = NULL;
	const xmlNode *body = soap_read(arena, (const char *)data, size, &error);

	if (!body != !!error || (body && body->doc->intSubset))
		abort();
	if (body) {
		check(arena, body, payment_asked);
		check(arena, body, payment_taken);
		check(arena, body, receipt_sent);
		check(arena, body, receipt_sent_v2);
	}
	arena_free(arena);
	return 0;
}
