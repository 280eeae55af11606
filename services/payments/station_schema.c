/* Owns what a well-formed call of the pagoPA node looks like: the sequences of paForNode.xsd with their lengths and
 * forms. Data from pagoPA is never refused for a wrong check digit (SACI). */
#include "station_schema.h"
#include <stdlib.h>
#include <string.h>
#include "arena.h"
#include "soap.h"

static const struct schema_element map_entry[] = {
	{ "key", TEXT, 1, 140 },
	{ "value", TEXT, 1, 140 },
	{ 0 },
};

static const struct schema_element metadata[] = {
	{ "mapEntry", GROUP, .inside = map_entry, .times = 15 },
	{ 0 },
};

static const struct schema_element qr_code[] = {
	{ "fiscalCode", DIGITS, 0, 11 },
	{ "noticeNumber", DIGITS, 0, 18 },
	{ 0 },
};

static const struct schema_element identifier[] = {
	{ "entityUniqueIdentifierType", PERSON_KIND },
	{ "entityUniqueIdentifierValue", TEXT, 2, 16 },
	{ 0 },
};

static const struct schema_element person[] = {
	{ "uniqueIdentifier", GROUP, .inside = identifier },
	{ "fullName", TEXT, 1, 70 },
	{ "streetName", TEXT, 1, 70, .optional = true },
	{ "civicNumber", TEXT, 1, 16, .optional = true },
	{ "postalCode", TEXT, 1, 16, .optional = true },
	{ "city", TEXT, 1, 35, .optional = true },
	{ "stateProvinceRegion", TEXT, 1, 35, .optional = true },
	{ "country", TEXT, 2, 2, .optional = true },
	{ "e-mail", TEXT, 3, 256, .optional = true },
	{ 0 },
};

/* V1 has no companyName and no MBDAttachment; what it cannot send does no harm here. */
static const struct schema_element transfer[] = {
	{ "idTransfer", DIGITS, 0, 1 },
	{ "transferAmount", AMOUNT },
	{ "fiscalCodePA", DIGITS, 0, 11 },
	{ "companyName", TEXT, 1, 140, .optional = true },
	{ "IBAN", TEXT, 1, 35, .optional = true },
	{ "MBDAttachment", TEXT, 1, 200000, .optional = true },
	{ "remittanceInformation", TEXT, 1, 140 },
	{ "transferCategory", TEXT, 1, 140 },
	{ "metadata", GROUP, .inside = metadata, .optional = true },
	{ 0 },
};

static const struct schema_element transfer_list[] = {
	{ "transfer", GROUP, .inside = transfer, .times = 5 },
	{ 0 },
};

#define RECEIPT_BEGINS                                                                                                 \
	{ "receiptId", TEXT, 1, 140 }, { "noticeNumber", DIGITS, 0, 18 }, { "fiscalCode", DIGITS, 0, 11 },             \
		{ "outcome", OUTCOME }, { "creditorReferenceId", TEXT, 1, 35 }, { "paymentAmount", AMOUNT },           \
		{ "description", TEXT, 1, 140 }, { "companyName", TEXT, 1, 140 },                                      \
		{ "officeName", TEXT, 1, 140, .optional = true }, { "debtor", GROUP, .inside = person },               \
		{ "transferList", GROUP, .inside = transfer_list }, { "idPSP", TEXT, 1, 35 },                          \
		{ "pspFiscalCode", TEXT, 1, 70, .optional = true },                                                    \
		{ "pspPartitaIVA", TEXT, 1, 20, .optional = true }, { "PSPCompanyName", TEXT, 1, 70 },                 \
		{ "idChannel", TEXT, 1, 35 }, { "channelDescription", TEXT, 1, 35 },                                   \
		{ "payer", GROUP, .inside = person, .optional = true },                                                \
	{                                                                                                              \
		"paymentMethod", TEXT, 1, 35, .optional = true                                                         \
	}

#define RECEIPT_ENDS                                                                                                   \
	{ "paymentDateTime", DATE_TIME, .optional = true }, { "applicationDate", DATE, .optional = true },             \
		{ "transferDate", DATE, .optional = true },                                                            \
		{ "metadata", GROUP, .inside = metadata, .optional = true }, { "standIn", BOOLEAN, .optional = true }, \
	{                                                                                                              \
		0                                                                                                      \
	}

static const struct schema_element receipt[] = {
	RECEIPT_BEGINS,
	{ "fee", AMOUNT, .optional = true },
	RECEIPT_ENDS,
};

static const struct schema_element receipt_v2[] = {
	RECEIPT_BEGINS,
	{ "paymentNote", TEXT, 1, 210, .optional = true },
	{ "fee", AMOUNT, .optional = true },
	{ "primaryCiIncurredFee", AMOUNT, .optional = true },
	{ "idBundle", TEXT, 1, 70, .optional = true },
	{ "idCiBundle", TEXT, 1, 70, .optional = true },
	RECEIPT_ENDS,
};

#define STATION                                                                                                        \
	{ "idPA", TEXT, 1, 35 }, { "idBrokerPA", TEXT, 1, 35 },                                                        \
	{                                                                                                              \
		"idStation", TEXT, 1, 35                                                                               \
	}

const struct schema_element payment_asked[] = {
	STATION,
	{ "qrCode", GROUP, .inside = qr_code },
	{ 0 },
};

const struct schema_element payment_taken[] = {
	STATION,
	{ "qrCode", GROUP, .inside = qr_code },
	{ "amount", AMOUNT, .optional = true },
	{ "paymentNote", TEXT, 1, 210, .optional = true },
	{ "transferType", TRANSFER_TYPE, .optional = true },
	{ "dueDate", DATE, .optional = true },
	{ 0 },
};

const struct schema_element receipt_sent[] = {
	STATION,
	{ "receipt", GROUP, .inside = receipt },
	{ 0 },
};

const struct schema_element receipt_sent_v2[] = {
	STATION,
	{ "receipt", GROUP, .inside = receipt_v2 },
	{ 0 },
};

static bool one_of(const char *text, const char *first, const char *second)
{
	return strcmp(text, first) == 0 || strcmp(text, second) == 0;
}

/* As a picture: 9 stands for any digit, everything else for itself; more may follow where the picture ends with '*'. */
static bool looks_like(const char *text, const char *picture)
{
	for (; *picture && *picture != '*'; picture++, text++) {
		if (*picture == '9' ? *text < '0' || *text > '9' : *text != *picture)
			return false;
	}
	return *picture == '*' || !*text;
}

/* \d+\.\d{2}, at most 999999999.99 */
static bool is_amount(const char *text)
{
	size_t whole = strspn(text, "0123456789");
	size_t zeros = strspn(text, "0");

	return whole > 0 && looks_like(text + whole, ".99") && (whole <= 9 || whole - zeros <= 9);
}

static bool has_form(const char *text, const struct schema_element *element)
{
	int length = xmlUTF8Strlen((const xmlChar *)text);

	switch (element->form) {
	case TEXT:
		return length >= element->least && length <= element->most;
	case DIGITS:
		return length == element->most && strspn(text, "0123456789") == (size_t)length;
	case AMOUNT:
		return is_amount(text);
	case OUTCOME:
		return one_of(text, "OK", "KO");
	case DATE:
		return looks_like(text, "9999-99-99*");
	case DATE_TIME:
		return looks_like(text, "9999-99-99T99:99:99*");
	case BOOLEAN:
		return one_of(text, "true", "false") || one_of(text, "1", "0");
	case TRANSFER_TYPE:
		return one_of(text, "POSTAL", "PAGOPA");
	case PERSON_KIND:
		return one_of(text, "F", "G");
	case GROUP:
		break;
	}
	return false;
}

static const char *check_one(struct arena *arena, const xmlNode *node, const struct schema_element *element)
{
	const char *text;

	if (node->ns)
		return arena_printf(arena, "%s must not be in a namespace", node->name);
	if (element->form == GROUP)
		return station_schema_check(arena, node, element->inside);
	text = soap_text(arena, node);
	if (!text || !has_form(text, element))
		return arena_printf(arena, "%s has not the form that the schema wants", node->name);
	return NULL;
}

const char *station_schema_check(struct arena *arena, const xmlNode *node, const struct schema_element *sequence)
{
	const xmlNode *child = soap_element(node->children);

	for (const struct schema_element *element = sequence; element->name; element++) {
		int found = 0, most = element->times ? element->times : 1;

		for (; child && found < most && strcmp((const char *)child->name, element->name) == 0; found++) {
			const char *error = check_one(arena, child, element);

			if (error)
				return error;
			child = soap_element(child->next);
		}
		if (!found && !element->optional)
			return arena_printf(
				arena, "%s is missing in %s, or not in its place", element->name, node->name);
	}
	return child ? arena_printf(arena, "%s does not belong in %s, or not there", child->name, node->name) : NULL;
}
