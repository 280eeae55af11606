/* Owns the wire form of SOAP: bytes to a tree that cannot hurt, JSON to bytes. Never decides what a call means. */
#include "soap.h"
#include <libxml/parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "arena.h"
#include "scope.h"
#include "text.h"

#define ENVELOPE "http://schemas.xmlsoap.org/soap/envelope/"

static void release_doc(void *doc)
{
	xmlFreeDoc(doc);
}

/* A DTD is where entity bombs and external files come from; SOAP 1.1 forbids it, and the parser stops at its first
 * byte. */
static void refuse_dtd(void *context, const xmlChar *name, const xmlChar *external_id, const xmlChar *system_id)
{
	xmlStopParser(context);
}

static xmlDoc *parse(const char *text, size_t length)
{
	xmlParserCtxt *context = xmlNewParserCtxt();
	xmlDoc *doc;

	if (!context)
		return NULL;
	context->sax->internalSubset = refuse_dtd;
	doc = xmlCtxtReadMemory(context, text, (int)length, NULL, NULL,
		XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_NOCDATA);
	xmlFreeParserCtxt(context);
	return doc;
}

xmlNode *soap_element(const xmlNode *node)
{
	while (node && node->type != XML_ELEMENT_NODE)
		node = node->next;
	return (xmlNode *)node;
}

static bool is_envelope(const xmlNode *node, const char *name)
{
	return node && node->ns && strcmp((const char *)node->name, name) == 0 &&
	       strcmp((const char *)node->ns->href, ENVELOPE) == 0;
}

xmlNode *soap_read(struct arena *arena, const char *text, size_t length, const char **ret_error)
{
	xmlDoc *doc = parse(text, length);
	xmlNode *root, *part;

	if (!doc) {
		*ret_error = "the body is not well-formed XML without DTD";
		return NULL;
	}
	arena_lease(arena, doc, release_doc);
	root = xmlDocGetRootElement(doc);
	part = is_envelope(root, "Envelope") ? soap_element(root->children) : NULL;
	if (is_envelope(part, "Header"))
		part = soap_element(part->next);
	part = is_envelope(part, "Body") ? soap_element(part->children) : NULL;
	if (!part || soap_element(part->next)) {
		*ret_error = "the body is not a SOAP 1.1 envelope with one element in its Body";
		return NULL;
	}
	return part;
}

const char *soap_text(struct arena *arena, const xmlNode *leaf)
{
	xmlChar *content;

	if (soap_element(leaf->children))
		return NULL;
	content = xmlNodeGetContent(leaf);
	return content ? arena_lease(arena, content, xmlFree) : "";
}

static json_t *to_json(const xmlNode *element)
{
	const xmlNode *child = soap_element(element->children);
	json_t *object;

	if (!child) {
		xmlChar *content = xmlNodeGetContent(element);
		json_t *text = json_string(content ? (const char *)content : "");

		xmlFree(content);
		return text;
	}
	object = json_object();
	for (; child; child = soap_element(child->next)) {
		const char *name = (const char *)child->name;
		json_t *before = json_object_get(object, name);

		if (!before)
			json_object_set_new(object, name, to_json(child));
		else if (json_is_array(before))
			json_array_append_new(before, to_json(child));
		else
			json_object_set_new(object, name, json_pack("[O, o]", before, to_json(child)));
	}
	return object;
}

json_t *soap_json(struct arena *arena, const xmlNode *element)
{
	return arena_json(arena, to_json(element));
}

static void write_members(FILE *out, const json_t *object);

static void write_element(FILE *out, const char *name, const json_t *value)
{
	if (json_is_null(value))
		return;
	fprintf(out, "<%s>", name);
	if (json_is_object(value))
		write_members(out, value);
	else if (json_is_boolean(value))
		fputs(json_is_true(value) ? "true" : "false", out);
	else if (json_is_integer(value))
		fprintf(out, "%lld", (long long)json_integer_value(value));
	else
		text_escape(out, json_string_value(value), json_string_length(value));
	fprintf(out, "</%s>", name);
}

static void write_members(FILE *out, const json_t *object)
{
	const char *name;
	json_t *value, *entry;
	size_t i;

	json_object_foreach((json_t *)object, name, value)
	{
		if (json_is_array(value)) {
			json_array_foreach(value, i, entry) write_element(out, name, entry);
		} else {
			write_element(out, name, value);
		}
	}
}

const char *soap_write(struct arena *arena, const char *element, const json_t *members)
{
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<soapenv:Envelope xmlns:soapenv=\"" ENVELOPE
	      "\" xmlns:pafn=\"" PA_FOR_NODE "\"><soapenv:Header/><soapenv:Body>",
		out);
	fprintf(out, "<pafn:%s>", element);
	write_members(out, members);
	fprintf(out, "</pafn:%s></soapenv:Body></soapenv:Envelope>\n", element);
	fclose(out);
	return arena_lease(arena, text, free);
}
