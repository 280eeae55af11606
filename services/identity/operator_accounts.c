/* Owns how an operator comes to an account: invited by an administrator, by a letter with a link that is good once;
 * there she chooses the password and takes the secret of her authenticator. Nobody else ever sees either. */
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include "identity.h"
#include "mail.h"
#include "password.h"
#include "text.h"
#include "identity.sql.h"

enum { RECOVERY_CODES = 10, RECOVERY_BYTES = 10, SHORTEST_PASSWORD = 12 };

static const char *label_of(struct request *rq, const char *operator)
{
	return arena_printf(rq->arena, "totp of %s", operator);
}

const unsigned char *unseal_totp(struct request *rq, const char *operator, const char * sealed)
{
	const char *hex = unseal(rq, label_of(rq, operator), sealed);
	unsigned char *secret = arena_alloc(rq->arena, TOTP_SECRET);

	if (!hex || strlen(hex) != 2 * TOTP_SECRET)
		return NULL;
	for (size_t i = 0; i < TOTP_SECRET; i++)
		secret[i] = (unsigned char)(text_hex_value(hex[2 * i]) << 4 | text_hex_value(hex[2 * i + 1]));
	return secret;
}

int invite_operator(struct request *rq)
{
	const char *operator= path(rq, "operatorId"), *token = random_token(rq);

	return sql_reply(rq, 201, SQL_INVITE_OPERATOR, operator, token, seal(rq, operator, token),
		seal(rq, label_of(rq, operator), random_hex(rq, TOTP_SECRET)));
}

/* Task: sends one invitation. */
int send_invitation(struct request *rq)
{
	const json_t *claimed = sql_maybe(rq, SQL_CLAIM_INVITATION);
	enum mail_outcome outcome = MAIL_NEVER;
	const char *token;

	if (!claimed || json_is_null(claimed))
		return claimed ? reply_empty(rq, 204) : rq->status;
	token = unseal(rq, json_text(claimed, "operator"), json_text(claimed, "token"));
	if (token)
		outcome = mail_send(rq, json_text(claimed, "hash"), json_text(claimed, "email"),
			"Il tuo account di operatore",
			arena_printf(rq->arena,
				"%s ti ha invitato tra i suoi operatori.\r\n\r\nApri questo indirizzo entro tre "
				"giorni, scegli la password "
				"e collega l'autenticatore:\r\n\r\n%s/operator-activation?token=%s\r\n\r\nVale una "
				"volta sola. Se non "
				"te l'aspettavi, avvisa il tuo amministratore.\r\n",
				json_text(claimed, "tenant"), issuer(), token));
	if (!sql_done(rq, SQL_SETTLE_INVITATION, json_text(claimed, "hash"), outcome == MAIL_LATER ? "false" : "true"))
		return rq->status;
	return reply_empty(rq, 200);
}

static int no_such_invitation(struct request *rq)
{
	return reply_error_page(rq, 400,
		"Questo invito è scaduto, è già stato usato o è stato sostituito da un altro: chiedine uno nuovo al "
		"tuo amministratore.");
}

static const char *in_fours(struct request *rq, const char *text)
{
	const char *spaced = "";

	for (; *text; text += strnlen(text, 4))
		spaced = arena_printf(rq->arena, "%s%s%.4s", spaced, *spaced ? "-" : "", text);
	return spaced;
}

static int reply_activation(
	struct request *rq, int status, const char *token, const json_t *invitation, const char *fault)
{
	const unsigned char *secret = unseal_totp(rq, json_text(invitation, "operator"), json_text(invitation, "totp"));
	const char *readable = secret ? base32(rq, secret, TOTP_SECRET) : NULL;
	const char *uri;

	if (!readable)
		return no_such_invitation(rq);
	uri = url_with(rq, arena_printf(rq->arena, "otpauth://totp/Portico:%s", json_text(invitation, "login")),
		"secret", readable, "issuer", "Portico", NULL);
	return reply_page(rq, status, "Attiva il tuo account",
		arena_printf(rq->arena,
			"%s<p>%s, operatore di <strong>%s</strong>: entrerai con l'e-mail <strong>%s</strong>.</p>\n"
			"<h2>1. L'autenticatore</h2>\n<p>Aggiungi questo account alla tua applicazione di codici a "
			"tempo, di 6 cifre: "
			"<a href=\"%s\">apri l'applicazione</a>, o scrivi la chiave</p>\n<p><code>%s</code></p>\n"
			"<h2>2. La password</h2>\n<form method=\"post\" action=\"operator-activation\">\n"
			"<input type=\"hidden\" name=\"token\" value=\"%s\">\n"
			"<input type=\"hidden\" name=\"username\" value=\"%s\" autocomplete=\"username\">\n"
			"<label for=\"password\">Almeno 12 caratteri; una frase va bene</label>\n<input "
			"id=\"password\" "
			"name=\"password\" type=\"password\" autocomplete=\"new-password\" minlength=\"12\" "
			"maxlength=\"128\" required>\n"
			"<label for=\"code\">Il codice che l'autenticatore mostra adesso</label>\n<input id=\"code\" "
			"name=\"code\" "
			"inputmode=\"numeric\" autocomplete=\"one-time-code\" maxlength=\"6\" required>\n"
			"<p><button>Attiva</button></p>\n</form>\n",
			fault ? arena_printf(rq->arena, "<p class=\"note\" role=\"alert\">%s</p>\n", fault) : "",
			html(rq, json_text(invitation, "name")), html(rq, json_text(invitation, "tenant")),
			html(rq, json_text(invitation, "login")), html(rq, uri), in_fours(rq, readable),
			html(rq, token), html(rq, json_text(invitation, "login"))),
		NULL);
}

int show_operator_activation(struct request *rq)
{
	const json_t *invitation = sql_maybe(rq, SQL_SHOW_INVITATION, query(rq, "token"));

	if (!invitation)
		return rq->status;
	return json_is_null(invitation) ? no_such_invitation(rq)
					: reply_activation(rq, 200, query(rq, "token"), invitation, NULL);
}

static bool contains_name(struct request *rq, const char *password, const char *login)
{
	return strcasestr(password, arena_strndup(rq->arena, login, strcspn(login, "@"))) != NULL;
}

/* The codes as they are shown, and *ret_plain as they are kept. */
static const char *make_recovery_codes(struct request *rq, json_t **ret_plain)
{
	const char *list = "";
	unsigned char bytes[RECOVERY_BYTES];

	*ret_plain = json_make(rq, "[]");
	for (int i = 0; i < RECOVERY_CODES; i++) {
		const char *code;

		if (RAND_bytes(bytes, sizeof bytes) != 1)
			abort();
		code = base32(rq, bytes, sizeof bytes);
		json_array_append_new(*ret_plain, json_string(code));
		list = arena_printf(rq->arena, "%s<li><code>%s</code></li>\n", list, in_fours(rq, code));
	}
	return list;
}

static int activate(struct request *rq, const char *token, long long step)
{
	const char *hash = password_hash(rq, form(rq, "password")), *list;
	json_t *plain, *done;

	if (!hash)
		return rq->status;
	list = make_recovery_codes(rq, &plain);
	done = sql_maybe(
		rq, SQL_ACTIVATE_OPERATOR, token, hash, arena_printf(rq->arena, "%lld", step), json_sql(rq, plain));
	if (!done)
		return rq->status;
	if (json_is_null(done))
		return no_such_invitation(rq);
	return reply_page(rq, 200, "Il tuo account è attivo",
		arena_printf(rq->arena,
			"<p>Conserva questi codici di recupero in un luogo sicuro: ciascuno vale una volta, al posto "
			"di quello "
			"dell'autenticatore. Non li vedrai più.</p>\n<ul>\n%s</ul>\n",
			list),
		NULL);
}

int activate_operator(struct request *rq)
{
	const char *token = form(rq, "token"), *password = form(rq, "password");
	const json_t *invitation = sql_maybe(rq, SQL_SHOW_INVITATION, token);
	const unsigned char *secret;
	long long step;

	if (!invitation)
		return rq->status;
	if (json_is_null(invitation))
		return no_such_invitation(rq);
	secret = unseal_totp(rq, json_text(invitation, "operator"), json_text(invitation, "totp"));
	step = secret ? totp_step(secret, form(rq, "code")) : -1;
	if (strlen(password) < SHORTEST_PASSWORD || contains_name(rq, password, json_text(invitation, "login")))
		return reply_activation(
			rq, 422, token, invitation, "La password ha meno di 12 caratteri, o contiene il tuo nome.");
	if (step < 0)
		return reply_activation(rq, 422, token, invitation,
			"Il codice non è quello dell'autenticatore: controlla anche l'ora del telefono.");
	return activate(rq, token, step);
}
