/* Owns the sessions that the emulated provider keeps (level 1 only, as SPID has it) and single logout both ways. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "spid.h"

enum { SESSIONS_MAX = 100, FIELD = 512 };

struct session {
	char federation[8], index[64], name_id[64], service[FIELD];
};

static struct {
	pthread_mutex_t lock;
	size_t next;
	struct session entries[SESSIONS_MAX]; /* a ring: the oldest is forgotten */
} sessions = { .lock = PTHREAD_MUTEX_INITIALIZER };

const char *sessions_open(struct request *rq, const char *federation, const char *service, const char *name_id)
{
	struct session *session;
	const char *index = random_hex(rq, 16);

	pthread_mutex_lock(&sessions.lock);
	session = &sessions.entries[sessions.next++ % SESSIONS_MAX];
	snprintf(session->federation, sizeof session->federation, "%s", federation);
	snprintf(session->index, sizeof session->index, "_%s", index);
	snprintf(session->name_id, sizeof session->name_id, "%s", name_id);
	snprintf(session->service, sizeof session->service, "%s", service);
	pthread_mutex_unlock(&sessions.lock);
	return arena_printf(rq->arena, "_%s", index);
}

/* Takes the session out. */
static bool take_out(const char *federation, const char *index, struct session *ret_session)
{
	bool found = false;

	pthread_mutex_lock(&sessions.lock);
	for (size_t i = 0; i < SESSIONS_MAX && !found; i++) {
		struct session *each = &sessions.entries[i];

		if (index && *each->index && strcmp(each->index, index) == 0 &&
			strcmp(each->federation, federation) == 0) {
			*ret_session = *each;
			memset(each, 0, sizeof *each);
			found = true;
		}
	}
	pthread_mutex_unlock(&sessions.lock);
	return found;
}

int sessions_show(struct request *rq, const char *federation)
{
	const char *list = "";

	pthread_mutex_lock(&sessions.lock);
	for (size_t i = 0; i < SESSIONS_MAX; i++) {
		const struct session *each = &sessions.entries[i];

		if (*each->index && strcmp(each->federation, federation) == 0)
			list = arena_printf(rq->arena,
				"%s<li><a class=\"button\" href=\"sessions/%s\">Esci<span>%s</span></a></li>\n", list,
				each->index, html(rq, each->service));
	}
	pthread_mutex_unlock(&sessions.lock);
	return reply_page(rq, 200, "Sessioni presso il gestore di prova",
		*list ? arena_printf(rq->arena, "<ul>\n%s</ul>\n", list) : "<p>Nessuna sessione.</p>\n", NULL);
}

static const char *issuer_element(struct request *rq, const char *federation)
{
	return arena_printf(rq->arena, "<saml:Issuer Format=\"%s\">%s</saml:Issuer>", SAML_FORMAT_ENTITY,
		html(rq, registry_entity(rq, federation)));
}

int sessions_end(struct request *rq, const char *federation, const char *index)
{
	struct session session;
	json_t *known;

	if (!take_out(federation, index, &session))
		return problem(rq, 404, "not-found", "There is no such session.");
	known = registry_service(rq, session.service);
	if (!known || !json_text(known, "logout"))
		return problem(rq, 400, "invalid-request", "The service provider has no address for logouts.");
	return saml_redirect(rq, json_text(known, "logout"), "SAMLRequest",
		arena_printf(rq->arena,
			"<samlp:LogoutRequest xmlns:samlp=\"%s\" xmlns:saml=\"%s\" ID=\"_%s\" Version=\"2.0\" "
			"IssueInstant=\"%s\" Destination=\"%s\">%s<saml:NameID Format=\"%s\" "
			"NameQualifier=\"%s\">%s</saml:NameID>"
			"<samlp:SessionIndex>%s</samlp:SessionIndex></samlp:LogoutRequest>",
			SAML_PROTOCOL, SAML_ASSERTION, random_hex(rq, 16), saml_utc(rq, time(NULL)),
			html(rq, json_text(known, "logout")), issuer_element(rq, federation), SAML_FORMAT_TRANSIENT,
			html(rq, registry_entity(rq, federation)), session.name_id, session.index),
		random_hex(rq, 8));
}

static int answer(struct request *rq, const char *federation, const xmlNode *root, const char *relay)
{
	const char *service = saml_content(rq, saml_only(root, SAML_ASSERTION, "Issuer")),
		   *index = saml_content(rq, saml_only(root, SAML_PROTOCOL, "SessionIndex")), *where;
	struct session session;
	json_t *known = registry_service(rq, service);
	bool found = take_out(federation, index, &session);

	where = json_text(known, "logout");
	if (!where || !saml_query_holds(rq,
			      url_with(rq, "", "SAMLRequest", http_query(rq, "SAMLRequest"), "RelayState", relay,
				      "SigAlg", http_query(rq, "SigAlg"), NULL) +
				      1,
			      http_query(rq, "SigAlg"), http_query(rq, "Signature"), json_at(known, "certificates")))
		return problem(rq, 403, "forbidden", "The LogoutRequest is not signed by a known service provider.");
	return saml_redirect(rq, where, "SAMLResponse",
		arena_printf(rq->arena,
			"<samlp:LogoutResponse xmlns:samlp=\"%s\" xmlns:saml=\"%s\" ID=\"_%s\" Version=\"2.0\" "
			"IssueInstant=\"%s\" InResponseTo=\"%s\" Destination=\"%s\">%s<samlp:Status><samlp:StatusCode "
			"Value=\"urn:oasis:names:tc:SAML:2.0:status:%s\"/></samlp:Status></samlp:LogoutResponse>",
			SAML_PROTOCOL, SAML_ASSERTION, random_hex(rq, 16), saml_utc(rq, time(NULL)),
			html(rq, saml_attribute(rq, root, "ID")), html(rq, where), issuer_element(rq, federation),
			found ? "Success" : "PartialLogout"),
		relay);
}

int sessions_take(struct request *rq, const char *federation)
{
	const char *asked = http_query(rq, "SAMLRequest"), *answered = http_query(rq, "SAMLResponse");
	xmlDoc *doc = asked || answered ? saml_inflated(rq, asked ? asked : answered) : NULL;
	const xmlNode *root = doc ? xmlDocGetRootElement(doc) : NULL;

	if (saml_is(root, SAML_PROTOCOL, "LogoutRequest"))
		return answer(rq, federation, root, http_query(rq, "RelayState"));
	if (saml_is(root, SAML_PROTOCOL, "LogoutResponse"))
		return reply_page(rq, 200, "Uscita", "<p>La sessione presso il gestore di prova è finita.</p>\n", NULL);
	return problem(rq, 400, "invalid-request", "There is no logout message.");
}
