/* What the files of the identity service share. Tokens and secrets pass through here as text and are never logged. */
#pragma once
#include <openssl/types.h>
#include "service.h"

enum { ACCESS_TOKEN_LIFE = 600, LOGIN_LIFE = 600 };

/* identity.c */
extern const char issuer_setting[], key_secret_setting[], key_lifetime_setting[], key_published_setting[];
const char *issuer(void);

/* random.c: random values and digests, owned by the request */
const char *random_token(struct request *rq); /* 256 bits, base64url */
const char *random_hex(struct request *rq, size_t bytes);
const char *sha256_base64url(struct request *rq, const char *text);

/* seal.c: AES-256-GCM under PORTICO_KEY_SECRET; label is bound to the text. NULL when it cannot be opened. */
const char *seal(struct request *rq, const char *label, const char *text);
const char *unseal(struct request *rq, const char *label, const char *sealed);

/* keys.c: the keys that tokens are signed with. False or NULL: already answered. */
struct signing_key {
	const char *kid;
	EVP_PKEY *private; /* belongs to the request */
};
bool signing_key(struct request *rq, struct signing_key *ret_key);
json_t *published_keys(struct request *rq); /* {"keys": […]}, RFC 7517 */
int show_keys(struct request *rq);
int rotate_keys(struct request *rq);

/* jws.c */
const char *jws_sign(struct request *rq, const struct signing_key *key, const char *type, const json_t *claims);
/* The claims of a token of that type (NULL: whatever type it says) signed with one of the keys, or NULL. */
json_t *jws_verify(struct request *rq, const json_t *keys, const char *type, const char *token);
/* What a token says before anything about it is known to be true; NULL when it is no token. */
json_t *jws_peek(struct request *rq, const char *token);

/* jwk.c */
/* The public key, when that algorithm fits it; belongs to the request. */
EVP_PKEY *jwk_key(struct request *rq, const json_t *jwk, const char *algorithm, bool *ret_pss);
const json_t *jwk_named(const json_t *keys, const char *kid);

/* client_proof.c: the forms that clients send */
const char *form(struct request *rq, const char *name);
int oauth_error(struct request *rq, int status, const char *error, const char *description);
/* The client that proved itself, or NULL: already answered. */
json_t *prove_client(struct request *rq);

#define ACCESS_TOKEN_TYPE "urn:ietf:params:oauth:token-type:access_token"

/* tokens.c */
/* The answer of the token endpoint for claims (of redeem_code and its like). refresh may be NULL. NULL: already
 * answered. */
json_t *make_tokens(struct request *rq, const char *client, const json_t *claims, const char *refresh);
/* The claims of an access token of ours that has not expired; a JSON null when it is none; NULL: already answered. */
json_t *read_access_token(struct request *rq, const char *token);

/* url.c */
/* base with the pairs name, value, …, NULL appended to its query, percent-encoded; pairs with a NULL value are left
 * out. */
const char *url_with(struct request *rq, const char *base, ...) __attribute__((sentinel));
/* scheme://host:port of an absolute URL. */
const char *url_origin(struct request *rq, const char *url);
/* Percent and plus decoded, as in a form; NULL when malformed. */
const char *form_decode(struct request *rq, const char *text, size_t length);

/* page.c: server-rendered pages in Italian, without scripts */
const char *html(struct request *rq, const char *text); /* escaped */
/* Answers with a page. form_origin: where a form of it may lead besides here, or NULL. */
int reply_page(struct request *rq, int status, const char *title, const char *body, const char *form_origin);
int reply_error_page(struct request *rq, int status, const char *explanation);

/* login_cookie.c: the login belongs to this browser; what begins with bind is asked for until its end */
void bind_browser(struct request *rq, const char *request, const char *browser);
const char *bound_browser(struct request *rq, const char *request); /* NULL: this browser did not begin that login */
void release_browser(struct request *rq, const char *request);
void forget_old_logins(struct request *rq, const char *request); /* but never this one */

/* authorize.c, demo_provider.c, token_endpoint.c, discovery.c */
int authorize(struct request *rq);
int push_request(struct request *rq);
int show_demo_provider(struct request *rq);
int choose_demo_person(struct request *rq);
int issue_token(struct request *rq);
int revoke_token(struct request *rq);
int introspect_token(struct request *rq);
int show_metadata(struct request *rq);

/* token_endpoint.c: answers with what make_tokens gives */
int reply_tokens(struct request *rq, const json_t *client, const json_t *claims, const char *refresh);

/* mandates.c */
int create_mandate(struct request *rq);
int list_mandates(struct request *rq);
int show_mandate(struct request *rq);
int end_mandate(struct request *rq);
int renew_mandate(struct request *rq);
int take_mandate_paper(struct request *rq);
int show_mandate_paper(struct request *rq);
int grant_exchange(struct request *rq, const json_t *client);
int sweep_mandates(struct request *rq);

/* delegations.c */
int create_delegation(struct request *rq);
int list_delegations(struct request *rq);
int change_delegation(struct request *rq);
int accept_delegation(struct request *rq);
int end_delegation(struct request *rq);

/* login_form.c */
const char *csrf_token(struct request *rq, const char *request, const char *browser);
int reply_no_such_login(struct request *rq);
int reply_foreign_form(struct request *rq);
int reply_to_client(struct request *rq, const json_t *ended, const char *code);

/* operator_login.c, operator_accounts.c */
int show_operator_login(struct request *rq);
int log_operator_in(struct request *rq);
int sweep_operator_logins(struct request *rq);
int invite_operator(struct request *rq);
int send_invitation(struct request *rq);
int show_operator_activation(struct request *rq);
int activate_operator(struct request *rq);
/* The secret of an authenticator (TOTP_SECRET bytes), or NULL when it cannot be opened. */
const unsigned char *unseal_totp(struct request *rq, const char *operator, const char * sealed);

/* contacts.c */
int begin_contact_verification(struct request *rq);
int confirm_contact(struct request *rq);
int send_contact_code(struct request *rq);
int sweep_contact_codes(struct request *rq);

/* logout.c */
int log_out(struct request *rq);
int tell_logout(struct request *rq);
