/* Owns the mandates with which an office acts for a person, and the exchange of one, or of a citizen's
 * delegation, for a token (RFC 8693). Whether a
 * mandate holds is decided by one statement; nobody acts for anybody without a paper that she signed. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "identity.h"
#include "text.h"
#include "identity.sql.h"

#define MANDATE_TYPE "urn:portico:params:oauth:token-type:mandate"
#define DELEGATION_TYPE "urn:portico:params:oauth:token-type:delegation"

int create_mandate(struct request *rq)
{
	return sql_reply(rq, 201, SQL_CREATE_MANDATE, rq->body, rq->caller.subject);
}

int list_mandates(struct request *rq)
{
	return sql_reply(rq, 200, SQL_LIST_MANDATES, query(rq, "limit"), query(rq, "after"));
}

int show_mandate(struct request *rq)
{
	return sql_reply(rq, 200, SQL_SHOW_MANDATE, path(rq, "mandateId"));
}

int end_mandate(struct request *rq)
{
	return sql_row(rq, SQL_END_MANDATE, path(rq, "mandateId")) ? reply_empty(rq, 204) : rq->status;
}

int renew_mandate(struct request *rq)
{
	return sql_reply(rq, 201, SQL_RENEW_MANDATE, path(rq, "mandateId"), rq->body, rq->caller.subject);
}

int take_mandate_paper(struct request *rq)
{
	char *hex = arena_alloc(rq->arena, 2 * rq->body_length + 1);

	if (strncmp(rq->body, "%PDF-", 5) != 0)
		return problem(rq, 422, "not-a-pdf", "The paper must be a PDF.");
	text_hex(hex, rq->body, rq->body_length);
	return sql_reply(rq, 200, SQL_TAKE_MANDATE_PAPER, path(rq, "mandateId"), hex, rq->caller.subject);
}

int show_mandate_paper(struct request *rq)
{
	const char *hex = json_text(sql_row(rq, SQL_SHOW_MANDATE_PAPER, path(rq, "mandateId")), "hex");
	size_t length = hex ? strlen(hex) / 2 : 0;
	unsigned char *content = arena_alloc(rq->arena, length + 1);
	int fd;

	if (!hex)
		return rq->status;
	for (size_t i = 0; i < length; i++)
		content[i] = (unsigned char)(text_hex_value(hex[2 * i]) << 4 | text_hex_value(hex[2 * i + 1]));
	fd = memfd_create("paper", MFD_CLOEXEC);
	if (fd < 0 || write(fd, content, length) != (ssize_t)length || lseek(fd, 0, SEEK_SET) != 0) {
		if (fd >= 0)
			close(fd);
		return problem(rq, 503, "unavailable", "The paper cannot be sent now.");
	}
	return reply_file(rq, fd, "application/pdf", "mandato.pdf");
}

static bool is_uuid(const char *text)
{
	static const char shape[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
	size_t at = 0;

	while (shape[at] && (shape[at] == '-' ? text[at] == '-' : text_hex_value(text[at]) >= 0))
		at++;
	return !shape[at] && !text[at];
}

static bool is(const char *text, const char *wanted)
{
	return text && strcmp(text, wanted) == 0;
}

/* What a helper may show as subject_token, and what her own token must be good for. */
static const struct exchange {
	const char *type, *scope;
	const struct sql *statement;
} exchanges[] = { { MANDATE_TYPE, "desk:persons", SQL_EXCHANGE_MANDATE },
	{ DELEGATION_TYPE, "profile", SQL_EXCHANGE_DELEGATION }, { 0 } };

static const struct exchange *exchange_of(const char *type)
{
	const struct exchange *exchange = exchanges;

	while (exchange->type && !is(type, exchange->type))
		exchange++;
	return exchange->type ? exchange : NULL;
}

/* subject_token: the mandate or the delegation; actor_token: the helper's access token, which proves who acts. */
int grant_exchange(struct request *rq, const json_t *client)
{
	const char *subject = form(rq, "subject_token"), *actor = form(rq, "actor_token"),
		   *wanted = form(rq, "requested_token_type");
	const struct exchange *exchange = exchange_of(form(rq, "subject_token_type"));
	json_t *helper, *claims;

	if (!subject || !actor || !exchange || !is(form(rq, "actor_token_type"), ACCESS_TOKEN_TYPE) ||
		(wanted && !is(wanted, ACCESS_TOKEN_TYPE)))
		return oauth_error(rq, 400, "invalid_request",
			"A mandate or a delegation as subject_token and the helper's access token as actor_token are "
			"exchanged.");
	helper = read_access_token(rq, actor);
	if (!helper)
		return rq->status;
	if (!json_text(helper, "sid") || !auth_scope_held(json_text(helper, "scope"), exchange->scope) ||
		!is_uuid(subject))
		return oauth_error(rq, 400, "invalid_grant",
			"The actor_token has not the scope that it takes, or there is no such subject.");
	claims = sql_maybe(
		rq, exchange->statement, subject, json_text(helper, "sid"), json_text(client, "id"), form(rq, "scope"));
	if (!claims)
		return rq->status;
	if (json_text(claims, "error"))
		return oauth_error(rq, 400, json_text(claims, "error"), json_text(claims, "why"));
	return reply_tokens(rq, client, claims, NULL);
}

int sweep_mandates(struct request *rq)
{
	return sql_done(rq, SQL_SWEEP_MANDATES) ? reply_empty(rq, 204) : rq->status;
}
