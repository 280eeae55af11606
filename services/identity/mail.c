/* Owns the sending of short plain texts over SMTP. Never logs an address or a text. */
#include "mail.h"
#include <curl/curl.h>
#include <string.h>
#include <time.h>

enum { CONNECT_SECONDS = 5, WHOLE_SECONDS = 20, LONGEST_ADDRESS = 254 };

const char smtp_url_setting[] = "PORTICO_SMTP_URL", smtp_tls_setting[] = "PORTICO_SMTP_TLS",
	   smtp_user_setting[] = "PORTICO_SMTP_USER", smtp_password_setting[] = "PORTICO_SMTP_PASSWORD",
	   mail_from_setting[] = "PORTICO_MAIL_FROM";

/* What an envelope and a field take as they are: it cannot begin another field. */
static bool is_mailbox(const char *text)
{
	const char *at = strchr(text, '@');

	for (const char *c = text; *c; c++) {
		if (*c <= ' ' || *c > '~' || strchr("<>(),;:\\\"[]", *c))
			return false;
	}
	return at && at > text && at[1] && !strchr(at + 1, '@') && strlen(text) <= LONGEST_ADDRESS;
}

static const char *date_now(struct request *rq)
{
	time_t now = time(NULL);
	char text[64];
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S +0000", &tm);
	return arena_strdup(rq->arena, text);
}

static struct curl_slist *fields_of(struct request *rq, const char *id, const char *to, const char *subject)
{
	const char *from = config(mail_from_setting);
	const char *fields[] = { arena_printf(rq->arena, "From: <%s>", from), arena_printf(rq->arena, "To: <%s>", to),
		arena_printf(rq->arena, "Subject: %s", subject), arena_printf(rq->arena, "Date: %s", date_now(rq)),
		arena_printf(rq->arena, "Message-ID: <%s%s>", id, strchr(from, '@')), "Auto-Submitted: auto-generated",
		"Content-Language: it" };
	struct curl_slist *list = NULL;

	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
		list = curl_slist_append(list, fields[i]);
	return list;
}

static void set_server(CURL *curl)
{
	curl_easy_setopt(curl, CURLOPT_URL, config(smtp_url_setting));
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)WHOLE_SECONDS);
	if (strcmp(config(smtp_tls_setting), "none") != 0)
		curl_easy_setopt(curl, CURLOPT_USE_SSL, (long)CURLUSESSL_ALL);
	if (*config(smtp_user_setting)) {
		curl_easy_setopt(curl, CURLOPT_USERNAME, config(smtp_user_setting));
		curl_easy_setopt(curl, CURLOPT_PASSWORD, config(smtp_password_setting));
	}
}

static curl_mime *body_of(CURL *curl, const char *text)
{
	curl_mime *body = curl_mime_init(curl);
	curl_mimepart *part = curl_mime_addpart(body);

	curl_mime_data(part, text, CURL_ZERO_TERMINATED);
	curl_mime_type(part, "text/plain; charset=utf-8");
	curl_mime_encoder(part, "quoted-printable");
	return body;
}

/* 550 to 559 speak of the mailbox or of the message; all else is a matter of the server or of the way to it. */
static enum mail_outcome judge(CURLcode result, long code)
{
	if (result == CURLE_OK)
		return MAIL_SENT;
	log_warning("mail was not taken", "{s:i s:s}", "code", (int)code, "error", curl_easy_strerror(result));
	return result != CURLE_LOGIN_DENIED && code >= 550 && code <= 559 ? MAIL_NEVER : MAIL_LATER;
}

enum mail_outcome mail_send(struct request *rq, const char *id, const char *to, const char *subject, const char *text)
{
	struct curl_slist *fields, *recipients;
	CURL *curl = client_handle();
	curl_mime *body;
	CURLcode result;
	long code = 0;

	if (!is_mailbox(to))
		return MAIL_NEVER;
	set_server(curl);
	fields = fields_of(rq, id, to, subject);
	recipients = curl_slist_append(NULL, arena_printf(rq->arena, "<%s>", to));
	body = body_of(curl, text);
	curl_easy_setopt(curl, CURLOPT_MAIL_FROM, arena_printf(rq->arena, "<%s>", config(mail_from_setting)));
	curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, recipients);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, fields);
	curl_easy_setopt(curl, CURLOPT_MIMEPOST, body);
	result = curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &code);
	curl_mime_free(body);
	curl_slist_free_all(recipients);
	curl_slist_free_all(fields);
	if (result != CURLE_OK)
		client_drop_handle(curl);
	return judge(result, code);
}
