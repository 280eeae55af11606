/* E-mail over SMTP. A message has the same Message-ID however often it is handed over, so that the duplicate that a
 * lost answer makes is recognised; a mailbox that refuses the person is permanent, everything about the server is tried
 * again. */
#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "channel.h"
#include "mime.h"
#include "service.h"
#include "shapes.h"
#include "template.h"

enum { CONNECT_SECONDS = 5, WHOLE_SECONDS = 30, ANSWER_BYTES = 160 };

static bool start(void)
{
	const char *tls = config("PORTICO_SMTP_TLS");

	if (strcmp(tls, "required") != 0 && strcmp(tls, "none") != 0) {
		fprintf(stderr, "notifications: PORTICO_SMTP_TLS is required or none, not %s\n", tls);
		return false;
	}
	return true;
}

static const char *address(struct request *rq, const json_t *person, const json_t *sender)
{
	const char *mailbox = json_text(person, "contacts.email"), *from = json_text(sender, "email");

	return mailbox && from && mime_address_ok(mailbox) ? mailbox : NULL;
}

static const char *hint(struct request *rq, const char *mailbox)
{
	return arena_printf(rq->arena, "%.1s***%s", mailbox, strchr(mailbox, '@'));
}

/* Keeps what the server said last, but not the goodbye that follows a refusal. */
static size_t hear(char *line, size_t size, size_t count, void *context)
{
	char *last = context;

	if (*last != '4' && *last != '5') {
		snprintf(last, ANSWER_BYTES, "%.*s", (int)strcspn(line, "\r\n"), line);
		for (char *c = last; *c; c++) {
			if ((unsigned char)*c < 0x20 || (unsigned char)*c > 0x7E)
				*c = '?';
		}
	}
	return size * count;
}

static const char *date_of(struct request *rq, long long seconds)
{
	struct tm tm;
	time_t moment = (time_t)seconds;
	char text[64];

	gmtime_r(&moment, &tm);
	strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S +0000", &tm);
	return arena_strdup(rq->arena, text);
}

static struct curl_slist *fields_of(struct request *rq, const struct delivery *delivery)
{
	const char *from = json_text(delivery->sender, "email"), *reply_to = json_text(delivery->sender, "replyTo");
	const char *name = json_text(delivery->sender, "name");
	const char *fields[] = {
		mime_mailbox_field(rq->arena, "From", name, from),
		arena_printf(rq->arena, "To: <%s>", delivery->address),
		mime_field(rq->arena, "Subject", delivery->subject),
		arena_printf(rq->arena, "Date: %s", date_of(rq, delivery->created_at)),
		arena_printf(rq->arena, "Message-ID: <%s.%s%s>", delivery->notice, delivery->tenant, strchr(from, '@')),
		"Auto-Submitted: auto-generated",
		"Content-Language: it",
		"Content-Type: multipart/alternative",
		reply_to ? mime_mailbox_field(rq->arena, "Reply-To", name, reply_to) : NULL,
	};
	struct curl_slist *list = NULL;

	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
		if (fields[i])
			list = curl_slist_append(list, fields[i]);
	}
	return list;
}

static const char *plain_text(struct request *rq, const struct delivery *delivery)
{
	return arena_printf(rq->arena, "%s%s%s\n\n-- \n%s\n", delivery->text,
		delivery->link ? "\n\nContinua qui: " : "", delivery->link ? delivery->link : "",
		json_text(delivery->sender, "name"));
}

/* The layout around the text. A layout that cannot be filled is the tenant's mistake, not a reason to be silent: then
 * plain. */
static const char *html_text(struct request *rq, const struct delivery *delivery)
{
	const char *content = shape_html(rq->arena, delivery->text), *error, *page;
	json_t *data = json_make(rq, "{s:s s:s s:s s:s?}", "subject", delivery->subject, "content", content,
		"municipality", json_text(delivery->sender, "name"), "link", delivery->link);

	page = delivery->layout ? template_render(rq->arena, delivery->layout, data, ESCAPE_HTML, &error) : content;
	if (!page)
		log_error("layout cannot be filled", "{s:s s:s}", "tenant", delivery->tenant, "detail", error);
	return page ? page : content;
}

/* Lines of an e-mail end with CR LF; only then does the encoder leave them as lines. */
static const char *with_mail_lines(struct request *rq, const char *text)
{
	char *out = arena_alloc(rq->arena, 2 * strlen(text) + 1), *end = out;

	for (; *text; text++) {
		if (*text == '\n')
			*end++ = '\r';
		if (*text != '\r')
			*end++ = *text;
	}
	return out;
}

/* The two shapes of the text; the field Content-Type above them says that they are alternatives. */
static curl_mime *body_of(CURL *curl, struct request *rq, const struct delivery *delivery)
{
	const struct {
		const char *type, *text;
	} alternatives[] = { { "text/plain; charset=utf-8", plain_text(rq, delivery) },
		{ "text/html; charset=utf-8", html_text(rq, delivery) } };
	curl_mime *body = curl_mime_init(curl);

	for (size_t i = 0; i < sizeof alternatives / sizeof *alternatives; i++) {
		curl_mimepart *part = curl_mime_addpart(body);

		curl_mime_data(part, with_mail_lines(rq, alternatives[i].text), CURL_ZERO_TERMINATED);
		curl_mime_type(part, alternatives[i].type);
		curl_mime_encoder(part, "quoted-printable");
	}
	return body;
}

static void set_server(CURL *curl)
{
	curl_easy_setopt(curl, CURLOPT_URL, config("PORTICO_SMTP_URL"));
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)WHOLE_SECONDS);
	curl_easy_setopt(curl, CURLOPT_MAXAGE_CONN, 20L);
	if (strcmp(config("PORTICO_SMTP_TLS"), "required") == 0)
		curl_easy_setopt(curl, CURLOPT_USE_SSL, (long)CURLUSESSL_ALL);
	if (*config("PORTICO_SMTP_CA"))
		curl_easy_setopt(curl, CURLOPT_CAINFO, config("PORTICO_SMTP_CA"));
	if (*config("PORTICO_SMTP_USER")) {
		curl_easy_setopt(curl, CURLOPT_USERNAME, config("PORTICO_SMTP_USER"));
		curl_easy_setopt(curl, CURLOPT_PASSWORD, config("PORTICO_SMTP_PASSWORD"));
	}
}

/* What the server said may quote the address. */
static const char *without_address(struct request *rq, const char *said, const char *mailbox)
{
	const char *at = strcasestr(said, mailbox);

	return at ? arena_printf(rq->arena, "%.*s***%s", (int)(at - said), said, at + strlen(mailbox))
		  : arena_strdup(rq->arena, said);
}

/* 550 to 559 speak of the mailbox or of the message; whatever else fails is a matter of the server or of the way to it.
 */
static struct outcome judge(struct request *rq, CURLcode result, long code, const char *said, const char *mailbox)
{
	const char *answer = *said ? without_address(rq, said, mailbox) : curl_easy_strerror(result);

	if (result == CURLE_OK)
		return (struct outcome){ .kind = OUTCOME_SENT, .answer = answer };
	if (result != CURLE_LOGIN_DENIED && code >= 550 && code <= 559)
		return (struct outcome){ .kind = OUTCOME_PERMANENT, .answer = answer };
	if (code < 400)
		answer = curl_easy_strerror(result);
	return (struct outcome){ .kind = OUTCOME_TEMPORARY, .answer = answer };
}

static struct outcome deliver(struct request *rq, const struct delivery *delivery)
{
	CURL *curl = client_handle();
	const char *from = json_text(delivery->sender, "email");
	struct curl_slist *fields, *recipients;
	char said[ANSWER_BYTES] = "";
	curl_mime *body;
	CURLcode result;
	long code = 0;

	if (!curl || !from)
		return (struct outcome){ .kind = OUTCOME_TEMPORARY,
			.answer = from ? "no memory" : "the tenant has no sender address" };
	set_server(curl);
	fields = fields_of(rq, delivery);
	recipients = curl_slist_append(NULL, arena_printf(rq->arena, "<%s>", delivery->address));
	body = body_of(curl, rq, delivery);
	curl_easy_setopt(curl, CURLOPT_MAIL_FROM, arena_printf(rq->arena, "<%s>", from));
	curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, recipients);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, fields);
	curl_easy_setopt(curl, CURLOPT_MIMEPOST, body);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, hear);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, said);
	result = curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &code);
	curl_mime_free(body);
	curl_slist_free_all(recipients);
	curl_slist_free_all(fields);
	if (result != CURLE_OK)
		client_drop_handle(curl);
	return judge(rq, result, code, said, delivery->address);
}

const struct channel email_channel = {
	.name = "email", .start = start, .address = address, .hint = hint, .deliver = deliver
};
