/* Owns the codes that verify a contact. A code is known to this process while it is sent and compared, and to nobody's
 * log. */
#include <openssl/rand.h>
#include <stdlib.h>
#include "identity.h"
#include "mail.h"
#include "text.h"
#include "identity.sql.h"

enum { CODES = 1000000, UNBIASED = UINT32_MAX - UINT32_MAX % CODES };

/* Six digits, each code as likely as any other. */
static const char *random_code(struct request *rq)
{
	uint32_t number;

	do {
		if (RAND_bytes((unsigned char *)&number, sizeof number) != 1)
			abort();
	} while (number >= UNBIASED);
	return arena_printf(rq->arena, "%06u", number % CODES);
}

/* An id that is known before the row: the code is sealed under it. */
static const char *random_id(struct request *rq)
{
	const char *hex = random_hex(rq, 16);

	return arena_printf(rq->arena, "%.8s-%.4s-4%.3s-8%.3s-%.12s", hex, hex + 8, hex + 13, hex + 17, hex + 20);
}

int begin_contact_verification(struct request *rq)
{
	const char *id = random_id(rq);

	return sql_reply(rq, 201, SQL_BEGIN_CONTACT_CODE, id, seal(rq, id, random_code(rq)));
}

/* Each step is a transaction of its own: a wrong answer stays counted. */
int confirm_contact(struct request *rq)
{
	const char *id = path(rq, "verificationId"), *code;
	const json_t *tried = sql_row(rq, SQL_TRY_CONTACT_CODE, id);

	if (!tried)
		return rq->status;
	code = unseal(rq, id, json_text(tried, "sealed"));
	if (!code)
		return problem(rq, 503, "unavailable", "The code cannot be read now.");
	if (!text_same_secret(json_text(rq->json, "code"), code))
		return problem(rq, 422, "wrong-code", "This is not the code that was sent.");
	return sql_reply(rq, 200, SQL_CONFIRM_CONTACT, id);
}

static const char *letter(struct request *rq, const char *code)
{
	return arena_printf(rq->arena,
		"Il codice per confermare questo indirizzo e-mail è\r\n\r\n    %s\r\n\r\nVale 15 minuti. Inseriscilo "
		"nella tua area "
		"personale e non darlo a nessuno: nessun ufficio te lo chiederà mai.\r\n\r\nSe non l'hai chiesto tu, "
		"ignora questo "
		"messaggio.\r\n",
		code);
}

/* Task: sends one code. */
int send_contact_code(struct request *rq)
{
	const json_t *claimed = sql_maybe(rq, SQL_CLAIM_CONTACT_CODE);
	const char *id = json_text(claimed, "id"), *code;
	enum mail_outcome outcome = MAIL_NEVER;

	if (!claimed || json_is_null(claimed))
		return claimed ? reply_empty(rq, 204) : rq->status;
	code = unseal(rq, id, json_text(claimed, "sealed"));
	if (code)
		outcome = mail_send(rq, id, json_text(claimed, "email"), "Il tuo codice di conferma", letter(rq, code));
	if (!sql_done(rq, SQL_SETTLE_CONTACT_CODE, id, outcome == MAIL_LATER ? "false" : "true"))
		return rq->status;
	return reply_empty(rq, 200);
}

int sweep_contact_codes(struct request *rq)
{
	return sql_done(rq, SQL_SWEEP_CONTACT_CODES) ? reply_empty(rq, 204) : rq->status;
}
