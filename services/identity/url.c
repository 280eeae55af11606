/* Owns the making and reading of URLs and form texts. Never decides where somebody may be sent. */
#include <ctype.h>
#include <stdarg.h>
#include <string.h>
#include "identity.h"
#include "text.h"

static const char *percent_encode(struct request *rq, const char *text)
{
	char *encoded = arena_alloc(rq->arena, 3 * strlen(text) + 1), *out = encoded;

	for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
		if (isalnum(*c) || strchr("-._~", *c)) {
			*out++ = (char)*c;
		} else {
			*out++ = '%';
			*out++ = "0123456789ABCDEF"[*c >> 4];
			*out++ = "0123456789ABCDEF"[*c & 15];
		}
	}
	return encoded;
}

const char *url_with(struct request *rq, const char *base, ...)
{
	const char *url = base, *name, *value;
	va_list pairs;

	va_start(pairs, base);
	while ((name = va_arg(pairs, const char *))) {
		value = va_arg(pairs, const char *);
		if (value)
			url = arena_printf(rq->arena, "%s%c%s=%s", url, strchr(url, '?') ? '&' : '?', name,
				percent_encode(rq, value));
	}
	va_end(pairs);
	return url;
}

const char *url_origin(struct request *rq, const char *url)
{
	const char *host = strstr(url, "://");

	return host ? arena_strndup(rq->arena, url, (size_t)(host - url) + 3 + strcspn(host + 3, "/?#")) : url;
}

const char *form_decode(struct request *rq, const char *text, size_t length)
{
	char *decoded = arena_alloc(rq->arena, length + 1);

	return text_form_decode(text, length, decoded) ? decoded : NULL;
}
