/* Any bytes as a SAML message. Whatever they are, reading ends; a DTD never gets through; nobody is believed who is not
 * signed by the one key that counts. What we sign ourselves is read again as it was written. */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "saml.h"

static char *pem_of(EVP_PKEY *key, X509 *certificate)
{
	BIO *memory = BIO_new(BIO_s_mem());
	char *data, *pem;
	long length;

	if (certificate ? !PEM_write_bio_X509(memory, certificate)
			: !PEM_write_bio_PrivateKey(memory, key, NULL, NULL, 0, NULL, NULL))
		abort();
	length = BIO_get_mem_data(memory, &data);
	pem = strndup(data, (size_t)length);
	BIO_free(memory);
	return pem;
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	EVP_PKEY *key = EVP_RSA_gen(2048);
	X509 *certificate = X509_new();
	char *key_pem, *certificate_pem;

	X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
	if (!X509_set_pubkey(certificate, key) || !X509_sign(certificate, key, EVP_sha256()))
		abort();
	key_pem = pem_of(key, NULL);
	certificate_pem = pem_of(key, certificate);
	if (!saml_signature_start(key_pem, certificate_pem))
		abort();
	free(key_pem);
	free(certificate_pem);
	X509_free(certificate);
	EVP_PKEY_free(key);
	return 0;
}

/* The expectations fit the seed, so that each rule is reached. */
static void judge(struct request *rq, xmlDoc *doc, const json_t *certificates, const char *federation)
{
	struct saml_expected expected = { .federation = federation,
		.request = "_r",
		.provider = "https://idp",
		.entity = "https://sp",
		.consumer = "https://sp/acs",
		.issued = 1795305600,
		.now = 1795305610,
		.level = 2,
		.certificates = certificates };
	struct saml_answer answer;

	saml_judge(rq, doc, &expected, &answer);
	if (!answer.fault && !answer.error_code)
		abort(); /* believed without a signature */
}

/* A message of ours that says the text, where XML can say it. */
static void sign(struct request *rq, const char *text, const json_t *certificates)
{
	const char *xml = arena_printf(rq->arena,
			   "<samlp:LogoutRequest xmlns:samlp=\"%s\" xmlns:saml=\"%s\" ID=\"_l\"><saml:Issuer>%s"
			   "</saml:Issuer></samlp:LogoutRequest>",
			   SAML_PROTOCOL, SAML_ASSERTION, html(rq, text)),
		   *ours;
	xmlDoc *before = saml_parse(rq, xml, strlen(xml)), *after;
	const char *said = before ? saml_content(rq, saml_first(xmlDocGetRootElement(before))) : NULL;

	if (!before)
		return;
	ours = saml_sign(rq, xml, "_l");
	after = saml_parse(rq, ours, strlen(ours));
	if (!after || !saml_signature_holds(rq, xmlDocGetRootElement(after), certificates) ||
		strcmp(said, saml_content(rq, saml_first(xmlDocGetRootElement(after)))) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct request rq = { .arena = arena_new() };
	const char *text = arena_strndup(rq.arena, (const char *)data, size), *ignored;
	json_t *certificates = arena_json(rq.arena, json_pack("[s]", saml_certificate()));
	xmlDoc *doc = saml_parse(&rq, text, strlen(text));

	saml_inflated(&rq, text);
	saml_decoded(&rq, text, &ignored);
	if (doc) {
		if (doc->intSubset)
			abort();
		saml_in_response_to(&rq, doc);
		judge(&rq, doc, certificates, "spid");
		judge(&rq, doc, certificates, "cie");
	}
	sign(&rq, text, certificates);
	arena_free(rq.arena);
	return 0;
}
