/* Owns what a person reads when a provider says no. The texts are AgID's table of messages; 19 to 25 and 30 are the
 * person's own, all others are somebody else's mistake. */
#include <string.h>
#include "saml.h"

static const struct {
	const char *code, *text;
} reasons[] = {
	{ "nr19", "L'accesso non è riuscito perché le credenziali sono state sbagliate più volte. Riprova più tardi, o "
		  "recuperale presso il tuo gestore di identità." },
	{ "nr20", "Le tue credenziali non sono del livello di sicurezza che questo servizio richiede. Rivolgiti al tuo "
		  "gestore di identità per averne di livello superiore." },
	{ "nr21", "È passato troppo tempo prima che l'accesso fosse completato. Riprova." },
	{ "nr22", "Non hai dato il consenso all'invio dei tuoi dati: senza, il servizio non può riconoscerti." },
	{ "nr23",
		"La tua identità è sospesa o revocata, o le tue credenziali sono bloccate. Rivolgiti al tuo gestore di "
		"identità." },
	{ "nr24", "Il gestore di identità non ha concluso l'accesso. Riprova." },
	{ "nr25", "Hai annullato l'accesso." },
	{ "nr30", "L'identità con cui hai provato a entrare non è del tipo che questo servizio richiede: serve quella "
		  "di una "
		  "persona fisica." },
};

int saml_courtesy_page(struct request *rq, const char *error_code, const json_t *login)
{
	const char *text = "Il gestore di identità non ha potuto concludere l'accesso. Riprova tra poco; se non basta, "
			   "segnalalo al servizio.",
		   *again = url_with(rq, arena_printf(rq->arena, "%s/saml/providers", issuer()), "request",
			   json_text(login, "login"), NULL),
		   *back = url_with(rq, json_text(login, "redirectUri"), "error", "access_denied", "error_description",
			   arena_printf(rq->arena, "the identity provider said %s", *error_code ? error_code : "no"),
			   "state", json_text(login, "state"), "iss", issuer(), NULL);

	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
		if (strcmp(reasons[i].code, error_code) == 0)
			text = reasons[i].text;
	}
	return reply_page(rq, 403, "Accesso non riuscito",
		arena_printf(rq->arena,
			"<p>%s</p>\n%s<p><a href=\"%s\">Riprova o scegli un altro modo di entrare</a></p>\n"
			"<p><a href=\"%s\">Torna a %s</a></p>\n",
			text,
			*error_code
				? arena_printf(rq->arena, "<p>Codice del messaggio: %s.</p>\n", html(rq, error_code))
				: "",
			html(rq, again), html(rq, back), html(rq, json_text(login, "client"))),
		NULL);
}
