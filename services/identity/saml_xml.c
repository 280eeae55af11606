/* Owns the reading of XML that comes from outside: a tree that cannot hurt, and small questions to it. Decides nothing
 * about what a message means. */
#include <libxml/parser.h>
#include <stdlib.h>
#include <string.h>
#include "saml.h"

static void release_doc(void *doc)
{
	xmlFreeDoc(doc);
}

/* A DTD is where entity bombs and external files come from: the parser stops at its first byte, and at a processing
 * instruction. Comments never reach the tree: the canonical form that is signed has none either, so none can cut a text
 * in two between what is verified and what is read. */
static void refuse_dtd(void *context, const xmlChar *name, const xmlChar *external_id, const xmlChar *system_id)
{
	xmlStopParser(context);
}

static void refuse_instruction(void *context, const xmlChar *target, const xmlChar *text)
{
	xmlStopParser(context);
}

/* Each ID is registered under its own value; a second one of the same value could be the signed one while the first is
 * read. */
static bool ids_are_unique(xmlDoc *doc, xmlNode *node)
{
	for (; node; node = saml_next(node)) {
		for (xmlAttr *attribute = node->properties; attribute; attribute = attribute->next) {
			if (strcasecmp((const char *)attribute->name, "id") == 0) {
				xmlChar *value = xmlNodeListGetString(doc, attribute->children, 1);
				bool added = value && *value && xmlAddID(NULL, doc, value, attribute);

				xmlFree(value);
				if (!added)
					return false;
			}
		}
		if (!ids_are_unique(doc, saml_first(node)))
			return false;
	}
	return true;
}

xmlDoc *saml_parse(struct request *rq, const char *text, size_t length)
{
	xmlParserCtxt *context = xmlNewParserCtxt();
	xmlDoc *doc;

	if (!context)
		return NULL;
	context->sax->internalSubset = refuse_dtd;
	context->sax->comment = NULL;
	context->sax->processingInstruction = refuse_instruction;
	doc = xmlCtxtReadMemory(context, text, (int)length, NULL, NULL,
		XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_NOCDATA);
	xmlFreeParserCtxt(context);
	if (!doc)
		return NULL;
	arena_lease(rq->arena, doc, release_doc);
	return ids_are_unique(doc, xmlDocGetRootElement(doc)) ? doc : NULL;
}

bool saml_is(const xmlNode *node, const char *space, const char *name)
{
	return node && node->ns && strcmp((const char *)node->name, name) == 0 &&
	       strcmp((const char *)node->ns->href, space) == 0;
}

static xmlNode *element_from(xmlNode *node)
{
	while (node && node->type != XML_ELEMENT_NODE)
		node = node->next;
	return node;
}

xmlNode *saml_first(const xmlNode *parent)
{
	return parent ? element_from(parent->children) : NULL;
}

xmlNode *saml_next(const xmlNode *node)
{
	return node ? element_from(node->next) : NULL;
}

xmlNode *saml_only(const xmlNode *parent, const char *space, const char *name)
{
	xmlNode *found = NULL;

	for (xmlNode *child = saml_first(parent); child; child = saml_next(child)) {
		if (!saml_is(child, space, name))
			continue;
		if (found)
			return NULL;
		found = child;
	}
	return found;
}

const char *saml_attribute(struct request *rq, const xmlNode *node, const char *name)
{
	xmlChar *value = node ? xmlGetNoNsProp((xmlNode *)node, (const xmlChar *)name) : NULL;

	return value ? arena_lease(rq->arena, value, xmlFree) : NULL;
}

const char *saml_content(struct request *rq, const xmlNode *node)
{
	xmlChar *content;
	const char *from;
	size_t length;

	if (!node || saml_first(node))
		return NULL;
	content = xmlNodeGetContent(node);
	if (!content)
		return "";
	arena_lease(rq->arena, content, xmlFree);
	from = (const char *)content + strspn((const char *)content, " \t\r\n");
	length = strlen(from);
	while (length && strchr(" \t\r\n", from[length - 1]))
		length--;
	return arena_strndup(rq->arena, from, length);
}

bool saml_time(const char *text, time_t *ret_time)
{
	struct tm parts = { 0 };
	const char *rest =
		text && strlen(text) >= 20 && text[4] == '-' ? strptime(text, "%Y-%m-%dT%H:%M:%S", &parts) : NULL;
	struct tm normal;

	if (!rest)
		return false;
	if (*rest == '.') {
		size_t digits = strspn(rest + 1, "0123456789");

		if (digits < 1 || digits > 9)
			return false;
		rest += 1 + digits;
	}
	if (strcmp(rest, "Z") != 0)
		return false;
	normal = parts;
	*ret_time = timegm(&normal);
	return normal.tm_mday == parts.tm_mday && normal.tm_mon == parts.tm_mon; /* no 30 February */
}

const char *saml_utc(struct request *rq, time_t when)
{
	struct tm parts;
	char text[32];

	gmtime_r(&when, &parts);
	strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
	return arena_strdup(rq->arena, text);
}
