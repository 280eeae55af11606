/* Owns signatures: ours on what we send and theirs on what we receive. Which keys are trusted is the registry's to say,
 * never the message's; the dates of a certificate in the registry are not looked at, as is the rule in both
 * federations: the metadata is what is trusted. */
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xmlsec/crypto.h>
#include <xmlsec/errors.h>
#include <xmlsec/openssl/app.h>
#include <xmlsec/openssl/crypto.h>
#include <xmlsec/openssl/evp.h>
#include <xmlsec/templates.h>
#include <xmlsec/xmldsig.h>
#include <xmlsec/xmlsec.h>
#include <xmlsec/xmltree.h>
#include "saml.h"
#include "scope.h"

#define RSA_SHA256 "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"

static xmlSecKey *own_key;
static EVP_PKEY *own_private;
static char *own_certificate;

static void release_signature(xmlSecDSigCtx **context)
{
	if (*context)
		xmlSecDSigCtxDestroy(*context);
}
#define auto_signature __attribute__((cleanup(release_signature)))

static void release_certificate(X509 **certificate)
{
	X509_free(*certificate);
}
#define auto_certificate __attribute__((cleanup(release_certificate)))

/* What xmlsec would print to standard error: whoever posts rubbish must not fill the log. */
static void stay_silent(const char *file, int line, const char *function, const char *object, const char *subject,
	int reason, const char *message)
{
}

static X509 *read_certificate(const char *pem)
{
	BIO *memory = BIO_new_mem_buf(pem, -1);
	X509 *certificate = memory ? PEM_read_bio_X509(memory, NULL, NULL, NULL) : NULL;

	BIO_free(memory);
	return certificate;
}

static EVP_PKEY *read_private(const char *pem)
{
	BIO *memory = BIO_new_mem_buf(pem, -1);
	EVP_PKEY *key = memory ? PEM_read_bio_PrivateKey(memory, NULL, NULL, NULL) : NULL;

	BIO_free(memory);
	return key;
}

/* As metadata wants it: the base64 between the markers, in one line. */
static char *bare(X509 *certificate)
{
	unsigned char *der = NULL;
	int length = i2d_X509(certificate, &der);
	char *text = length > 0 ? calloc(1, ((size_t)length + 2) / 3 * 4 + 1) : NULL;

	if (!text)
		abort();
	EVP_EncodeBlock((unsigned char *)text, der, length);
	OPENSSL_free(der);
	return text;
}

const char *saml_certificate(void)
{
	return own_certificate;
}

bool saml_signature_start(const char *key_pem, const char *certificate_pem)
{
	auto_certificate X509 *certificate = read_certificate(certificate_pem);

	if (xmlSecInit() < 0 || xmlSecOpenSSLAppInit(NULL) < 0 || xmlSecOpenSSLInit() < 0)
		abort();
	xmlSecErrorsSetCallback(stay_silent);
	own_private = read_private(key_pem);
	if (!own_private || !certificate || EVP_PKEY_get_base_id(own_private) != EVP_PKEY_RSA ||
		EVP_PKEY_get_bits(own_private) < 2048 || !X509_check_private_key(certificate, own_private))
		return false;
	own_certificate = bare(certificate);
	own_key = xmlSecOpenSSLAppKeyLoadMemory(
		(const xmlSecByte *)key_pem, (xmlSecSize)strlen(key_pem), xmlSecKeyDataFormatPem, NULL, NULL, NULL);
	return own_key && xmlSecOpenSSLAppKeyCertLoadMemory(own_key, (const xmlSecByte *)certificate_pem,
				  (xmlSecSize)strlen(certificate_pem), xmlSecKeyDataFormatCertPem) == 0;
}

/* An empty signature over the element with that id, to be filled in. */
static xmlNode *make_template(struct request *rq, xmlDoc *doc, const char *id)
{
	xmlNode *signature = xmlSecTmplSignatureCreateNsPref(
			doc, xmlSecTransformExclC14NId, xmlSecTransformRsaSha256Id, NULL, BAD_CAST "ds"),
		*reference, *info, *data;

	reference = signature ? xmlSecTmplSignatureAddReference(signature, xmlSecTransformSha256Id, NULL,
					BAD_CAST arena_printf(rq->arena, "#%s", id), NULL)
			      : NULL;
	if (!reference || !xmlSecTmplReferenceAddTransform(reference, xmlSecTransformEnvelopedId) ||
		!xmlSecTmplReferenceAddTransform(reference, xmlSecTransformExclC14NId))
		abort();
	info = xmlSecTmplSignatureEnsureKeyInfo(signature, NULL);
	data = info ? xmlSecTmplKeyInfoAddX509Data(info) : NULL;
	if (!data || !xmlSecTmplX509DataAddCertificate(data))
		abort();
	return signature;
}

const char *saml_sign(struct request *rq, const char *xml, const char *id)
{
	xmlDoc *doc = saml_parse(rq, xml, strlen(xml));
	xmlNode *root = doc ? xmlDocGetRootElement(doc) : NULL, *first = saml_first(root), *signature;
	auto_signature xmlSecDSigCtx *context = xmlSecDSigCtxCreate(NULL);
	xmlChar *text = NULL;
	int length;

	if (!root || !context)
		abort(); /* it is our own XML */
	signature = make_template(rq, doc, id);
	if (saml_is(first, SAML_ASSERTION, "Issuer"))
		xmlAddNextSibling(first, signature);
	else
		xmlAddPrevSibling(first, signature);
	context->signKey = xmlSecKeyDuplicate(own_key);
	if (!context->signKey || xmlSecDSigCtxSign(context, signature) < 0)
		abort();
	xmlDocDumpMemoryEnc(doc, &text, &length, "UTF-8");
	return arena_lease(rq->arena, text, xmlFree);
}

static bool algorithm_is(struct request *rq, const xmlNode *node, const char *const *allowed)
{
	const char *algorithm = saml_attribute(rq, node, "Algorithm");

	for (; algorithm && *allowed; allowed++) {
		if (strcmp(algorithm, *allowed) == 0)
			return true;
	}
	return false;
}

/* Enveloped, then exclusive canonicalisation, and nothing else: no XSLT, no XPath. */
static bool transforms_hold(struct request *rq, const xmlNode *transforms)
{
	static const char *const enveloped[] = { SAML_DSIG "enveloped-signature", NULL }, *const exclusive[] = {
		"http://www.w3.org/2001/10/xml-exc-c14n#", NULL
	};
	const xmlNode *first = saml_first(transforms), *second = saml_next(first);

	return saml_is(first, SAML_DSIG, "Transform") && algorithm_is(rq, first, enveloped) && !saml_first(first) &&
	       saml_is(second, SAML_DSIG, "Transform") && algorithm_is(rq, second, exclusive) && !saml_next(second);
}

/* The grammar of a signature that can only mean "this element, as a whole". */
static bool signature_is_plain(struct request *rq, const xmlNode *signature, const char *id)
{
	static const char *const canonical[] = { "http://www.w3.org/2001/10/xml-exc-c14n#", NULL },
				 *const methods[] = { RSA_SHA256, "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384",
					 "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512", NULL },
				 *const digests[] = { "http://www.w3.org/2001/04/xmlenc#sha256",
					 "http://www.w3.org/2001/04/xmldsig-more#sha384",
					 "http://www.w3.org/2001/04/xmlenc#sha512", NULL };
	const xmlNode *info = saml_first(signature), *value = saml_next(info), *key = saml_next(value),
		      *canonicalization = saml_first(info), *method = saml_next(canonicalization),
		      *reference = saml_next(method), *transforms = saml_first(reference),
		      *digest = saml_next(transforms), *digest_value = saml_next(digest);
	const char *uri = saml_attribute(rq, reference, "URI");

	if (!saml_is(info, SAML_DSIG, "SignedInfo") || !saml_is(value, SAML_DSIG, "SignatureValue") ||
		(key && (!saml_is(key, SAML_DSIG, "KeyInfo") || saml_next(key))))
		return false;
	if (!saml_is(canonicalization, SAML_DSIG, "CanonicalizationMethod") ||
		!algorithm_is(rq, canonicalization, canonical) || !saml_is(method, SAML_DSIG, "SignatureMethod") ||
		!algorithm_is(rq, method, methods) || !saml_is(reference, SAML_DSIG, "Reference") ||
		saml_next(reference))
		return false;
	if (!saml_is(transforms, SAML_DSIG, "Transforms") || !transforms_hold(rq, transforms) ||
		!saml_is(digest, SAML_DSIG, "DigestMethod") || !algorithm_is(rq, digest, digests) ||
		!saml_is(digest_value, SAML_DSIG, "DigestValue") || saml_next(digest_value))
		return false;
	return uri && *uri == '#' && strcmp(uri + 1, id) == 0;
}

static const char *pem_of(struct request *rq, const char *certificate)
{
	char *pem = arena_alloc(rq->arena, strlen(certificate) * 2 + 80), *out = pem;

	out += sprintf(out, "-----BEGIN CERTIFICATE-----\n");
	for (size_t left = strlen(certificate), at = 0; left; at += 64) {
		int line = left < 64 ? (int)left : 64;

		out += sprintf(out, "%.*s\n", line, certificate + at);
		left -= (size_t)line;
	}
	sprintf(out, "-----END CERTIFICATE-----\n");
	return pem;
}

static bool verifies(struct request *rq, xmlNode *signature, const char *certificate)
{
	auto_signature xmlSecDSigCtx *context = xmlSecDSigCtxCreate(NULL);
	const char *pem = pem_of(rq, certificate);

	if (!context)
		abort();
	context->signKey = xmlSecOpenSSLAppKeyLoadMemory(
		(const xmlSecByte *)pem, (xmlSecSize)strlen(pem), xmlSecKeyDataFormatCertPem, NULL, NULL, NULL);
	context->enabledReferenceUris = xmlSecTransformUriTypeSameDocument;
	return context->signKey && xmlSecDSigCtxEnableReferenceTransform(context, xmlSecTransformEnvelopedId) == 0 &&
	       xmlSecDSigCtxEnableReferenceTransform(context, xmlSecTransformExclC14NId) == 0 &&
	       xmlSecDSigCtxEnableReferenceTransform(context, xmlSecTransformSha256Id) == 0 &&
	       xmlSecDSigCtxEnableReferenceTransform(context, xmlSecTransformSha384Id) == 0 &&
	       xmlSecDSigCtxEnableReferenceTransform(context, xmlSecTransformSha512Id) == 0 &&
	       xmlSecDSigCtxVerify(context, signature) == 0 && context->status == xmlSecDSigStatusSucceeded;
}

bool saml_signature_holds(struct request *rq, xmlNode *element, const json_t *certificates)
{
	xmlNode *signature = saml_only(element, SAML_DSIG, "Signature");
	const char *id = saml_attribute(rq, element, "ID");
	json_t *certificate;
	size_t index;

	if (!signature || !id || !signature_is_plain(rq, signature, id))
		return false;
	json_array_foreach((json_t *)certificates, index, certificate)
	{
		if (verifies(rq, signature, json_string_value(certificate)))
			return true;
	}
	return false;
}

const char *saml_sign_query(struct request *rq, const char *query_text)
{
	const char *text = url_with(rq, "", "SigAlg", RSA_SHA256, NULL) + 1;
	auto_md_ctx EVP_MD_CTX *context = EVP_MD_CTX_new();
	unsigned char *signature;
	size_t length = (size_t)EVP_PKEY_get_size(own_private);

	text = arena_printf(rq->arena, "%s&%s", query_text, text);
	signature = arena_alloc(rq->arena, length);
	if (!context || EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, own_private) != 1 ||
		EVP_DigestSign(context, signature, &length, (const unsigned char *)text, strlen(text)) != 1)
		abort();
	return url_with(rq, arena_printf(rq->arena, "?%s", text), "Signature", saml_base64(rq, signature, length),
		       NULL) +
	       1;
}

static const EVP_MD *digest_of(const char *algorithm)
{
	static const char family[] = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha";
	const char *bits =
		algorithm && strncmp(algorithm, family, sizeof family - 1) == 0 ? algorithm + sizeof family - 1 : "";

	return strcmp(bits, "256") == 0	  ? EVP_sha256()
	       : strcmp(bits, "384") == 0 ? EVP_sha384()
	       : strcmp(bits, "512") == 0 ? EVP_sha512()
					  : NULL;
}

bool saml_query_holds(struct request *rq, const char *signed_text, const char *algorithm, const char *signature,
	const json_t *certificates)
{
	const EVP_MD *digest = digest_of(algorithm);
	size_t length = 0, index;
	const unsigned char *bytes = signature ? saml_unbase64(rq, signature, &length) : NULL;
	json_t *certificate;

	if (!digest || !bytes)
		return false;
	json_array_foreach((json_t *)certificates, index, certificate)
	{
		auto_certificate X509 *known = read_certificate(pem_of(rq, json_string_value(certificate)));
		auto_md_ctx EVP_MD_CTX *context = EVP_MD_CTX_new();
		EVP_PKEY *key = known ? X509_get0_pubkey(known) : NULL;

		if (key && context && EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA &&
			EVP_DigestVerifyInit(context, NULL, digest, NULL, key) == 1 &&
			EVP_DigestVerify(
				context, bytes, length, (const unsigned char *)signed_text, strlen(signed_text)) == 1)
			return true;
	}
	return false;
}
