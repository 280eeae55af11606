/* Owns how messages travel: base64, DEFLATE, the redirect and the form. Never looks into a message. */
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include "saml.h"

enum { MESSAGE_MAX = 256 * 1024, RAW_DEFLATE = -15 };

const char *saml_base64(struct request *rq, const void *bytes, size_t length)
{
	char *text = arena_alloc(rq->arena, (length + 2) / 3 * 4 + 1);

	EVP_EncodeBlock((unsigned char *)text, bytes, (int)length);
	return text;
}

/* Line breaks are allowed, as identity providers send them. */
unsigned char *saml_unbase64(struct request *rq, const char *text, size_t *ret_length)
{
	EVP_ENCODE_CTX *context = EVP_ENCODE_CTX_new();
	size_t length = strlen(text);
	unsigned char *bytes = arena_alloc(rq->arena, length / 4 * 3 + 4);
	int written = 0, rest = 0;
	bool good;

	if (!context)
		abort();
	EVP_DecodeInit(context);
	good = EVP_DecodeUpdate(context, bytes, &written, (const unsigned char *)text, (int)length) >= 0 &&
	       EVP_DecodeFinal(context, bytes + written, &rest) == 1;
	EVP_ENCODE_CTX_free(context);
	if (!good)
		return NULL;
	*ret_length = (size_t)(written + rest);
	bytes[*ret_length] = '\0';
	return bytes;
}

const char *saml_deflated(struct request *rq, const char *xml)
{
	z_stream stream = { 0 };
	size_t length = strlen(xml);
	unsigned char *out;
	uLong room;

	if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, RAW_DEFLATE, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		abort();
	room = deflateBound(&stream, length);
	out = arena_alloc(rq->arena, room);
	stream.next_in = (Bytef *)xml;
	stream.avail_in = (uInt)length;
	stream.next_out = out;
	stream.avail_out = (uInt)room;
	if (deflate(&stream, Z_FINISH) != Z_STREAM_END)
		abort();
	deflateEnd(&stream);
	return saml_base64(rq, out, stream.total_out);
}

xmlDoc *saml_inflated(struct request *rq, const char *text)
{
	z_stream stream = { 0 };
	size_t length;
	unsigned char *bytes = saml_unbase64(rq, text, &length);
	char *out;
	int outcome;

	if (!bytes || inflateInit2(&stream, RAW_DEFLATE) != Z_OK)
		return NULL;
	out = arena_alloc(rq->arena, MESSAGE_MAX + 1);
	stream.next_in = bytes;
	stream.avail_in = (uInt)length;
	stream.next_out = (Bytef *)out;
	stream.avail_out = MESSAGE_MAX; /* what is larger is a bomb */
	outcome = inflate(&stream, Z_FINISH);
	inflateEnd(&stream);
	return outcome == Z_STREAM_END ? saml_parse(rq, out, stream.total_out) : NULL;
}

xmlDoc *saml_decoded(struct request *rq, const char *text, const char **ret_text)
{
	size_t length;
	unsigned char *bytes = saml_unbase64(rq, text, &length);

	*ret_text = (const char *)bytes;
	return bytes && strlen((const char *)bytes) == length ? saml_parse(rq, (const char *)bytes, length) : NULL;
}

int saml_redirect(struct request *rq, const char *location, const char *name, const char *xml, const char *relay)
{
	const char *query_text = url_with(rq, "", name, saml_deflated(rq, xml), "RelayState", relay, NULL) + 1;

	reply_header(rq, "Cache-Control", "no-store");
	return reply_redirect(rq, 302,
		arena_printf(rq->arena, "%s%c%s", location, strchr(location, '?') ? '&' : '?',
			saml_sign_query(rq, query_text)));
}

int saml_post(struct request *rq, const char *location, const char *name, const char *xml, const char *relay,
	const char *whom)
{
	return reply_page(rq, 200, "Prosegui",
		arena_printf(rq->arena,
			"<form method=\"post\" action=\"%s\">\n<input type=\"hidden\" name=\"%s\" value=\"%s\">\n"
			"<input type=\"hidden\" name=\"RelayState\" value=\"%s\">\n"
			"<p><button>Prosegui verso %s</button></p>\n</form>\n",
			html(rq, location), name, saml_base64(rq, xml, strlen(xml)), html(rq, relay ? relay : ""),
			html(rq, whom)),
		strncmp(location, "https:", 6) == 0 ? "https:" : "http: https:"); /* it may lead on to others */
}
