/* The part of paForNode.xsd that a station is asked by, as tables. */
#pragma once
#include <libxml/tree.h>
#include <stdbool.h>

struct arena;

enum form { TEXT, DIGITS, AMOUNT, OUTCOME, DATE, DATE_TIME, BOOLEAN, TRANSFER_TYPE, PERSON_KIND, GROUP };

/* One element of a sequence; a table ends with an empty one. */
struct schema_element {
	const char *name;
	enum form form;
	int least, most; /* characters of a TEXT, most also of DIGITS, which have exactly that many */
	const struct schema_element *inside;
	bool optional;
	int times; /* at most; 0: once */
};

extern const struct schema_element payment_asked[];   /* paVerifyPaymentNoticeReq */
extern const struct schema_element payment_taken[];   /* paGetPaymentReq, paGetPaymentV2Request */
extern const struct schema_element receipt_sent[];    /* paSendRTReq */
extern const struct schema_element receipt_sent_v2[]; /* paSendRTV2Request */

/* NULL when the children of node follow the sequence, else what is wrong, in a sentence of the arena. */
const char *station_schema_check(struct arena *arena, const xmlNode *node, const struct schema_element *sequence);
