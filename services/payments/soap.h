/* SOAP 1.1 envelopes: read from strangers, written as JSON says. Knows no operation. Also used by the pagoPA emulator.
 */
#pragma once
#include <jansson.h>
#include <libxml/tree.h>
#include <stddef.h>

struct arena;

#define SOAP_MEDIA_TYPE "text/xml; charset=utf-8"
#define PA_FOR_NODE "http://pagopa-api.pagopa.gov.it/pa/paForNode.xsd"

/* The only element in the Body of an envelope. Without network, DTD (so no entities of its own) and huge documents.
 * NULL: *ret_error is a sentence. The tree lives with the arena. */
xmlNode *soap_read(struct arena *arena, const char *text, size_t length, const char **ret_error);
/* Elements to objects, leaves to strings, several of one name to an array. Lives with the arena. */
json_t *soap_json(struct arena *arena, const xmlNode *element);
/* The envelope with one element of the paForNode namespace. Members become child elements without namespace, in their
 * order; arrays repeat the element. */
const char *soap_write(struct arena *arena, const char *element, const json_t *members);
/* Elements only; NULL at the end. */
xmlNode *soap_element(const xmlNode *node);
/* The text of a leaf; NULL when it has elements inside. */
const char *soap_text(struct arena *arena, const xmlNode *leaf);
