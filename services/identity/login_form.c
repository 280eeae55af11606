/* Owns what the login pages share: the field that ties a form to its page, the ends that are no login, and the way back
 * to the client. */
#include <string.h>
#include "identity.h"

/* Only who holds the browser's cookie can know it, and it is good for one login. */
const char *csrf_token(struct request *rq, const char *request, const char *browser)
{
	return sha256_base64url(rq, arena_printf(rq->arena, "csrf %s %s", request, browser));
}

int reply_no_such_login(struct request *rq)
{
	return reply_error_page(rq, 400,
		"Questa richiesta di accesso è scaduta, è già stata usata o è di un altro browser: "
		"torna al servizio e ricomincia.");
}

int reply_foreign_form(struct request *rq)
{
	return reply_error_page(rq, 403,
		"Il modulo non viene dalla pagina di accesso di questo browser: torna al servizio e ricomincia.");
}

int reply_to_client(struct request *rq, const json_t *ended, const char *code)
{
	bool given_up = strcmp(json_text(ended, "outcome"), "given-up") == 0;

	reply_header(rq, "Cache-Control", "no-store");
	return reply_redirect(rq, 302,
		url_with(rq, json_text(ended, "redirectUri"), "code", given_up ? NULL : code, "error",
			given_up ? "access_denied" : NULL, "error_description", given_up ? "the person gave up" : NULL,
			"state", json_text(ended, "state"), "iss", issuer(), NULL));
}
