/* OpenSSL under the streams. The certificates' contexts are shared by all workers; a connection keeps the one it began
 * with, so that a reload disturbs none. */
#include "tls.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include "tls_tickets.h"

enum { MAX_CERTIFICATES = 128 };

struct certificates {
	size_t count;
	SSL_CTX *contexts[MAX_CERTIFICATES];
};

static const char strong_ciphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20"; /* of TLS 1.2; those of 1.3 are all strong */

static int choose_protocol(SSL *tls, const unsigned char **ret_chosen, unsigned char *ret_length,
	const unsigned char *offered, unsigned length, void *context)
{
	static const unsigned char ours[] = "\x02h2\x08http/1.1";
	unsigned char *chosen;

	if (SSL_select_next_proto(&chosen, ret_length, ours, sizeof(ours) - 1, offered, length) !=
		OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*ret_chosen = chosen;
	return SSL_TLSEXT_ERR_OK;
}

static int choose_certificate(SSL *tls, int *alert, void *context)
{
	const struct certificates *certificates = context;
	const char *name = SSL_get_servername(tls, TLSEXT_NAMETYPE_host_name);

	for (size_t i = 0; name && i < certificates->count; i++) {
		if (X509_check_host(SSL_CTX_get0_certificate(certificates->contexts[i]), name, 0, 0, NULL) == 1) {
			SSL_set_SSL_CTX(tls, certificates->contexts[i]);
			break;
		}
	}
	return SSL_TLSEXT_ERR_OK;
}

/* What holds towards clients and back ends alike. */
static void set_up(SSL_CTX *context)
{
	SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
	SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_mode(context,
		SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_read_ahead(context, 1); /* one call to the kernel for a record instead of two */
	if (SSL_CTX_set_cipher_list(context, strong_ciphers) != 1)
		abort();
}

static SSL_CTX *context_new(struct certificates *certificates, const char *path)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());

	if (!context)
		abort();
	set_up(context);
	/* Clients often just close. An answer of a back end that just ends was cut, by whoever is on the way. */
	SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_alpn_select_cb(context, choose_protocol, NULL);
	SSL_CTX_set_tlsext_servername_callback(context, choose_certificate);
	SSL_CTX_set_tlsext_servername_arg(context, certificates);
	tls_tickets_enable(context);
	if (SSL_CTX_use_certificate_chain_file(context, path) == 1 &&
		SSL_CTX_use_PrivateKey_file(context, path, SSL_FILETYPE_PEM) == 1 &&
		SSL_CTX_check_private_key(context) == 1)
		return context;
	SSL_CTX_free(context);
	return NULL;
}

static int is_pem(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);

	return entry->d_name[0] != '.' && length > 4 && strcmp(entry->d_name + length - 4, ".pem") == 0;
}

static bool load(struct certificates *certificates, const char *folder, const char *name, char **ret_error)
{
	char path[4096];
	SSL_CTX *context;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	context = certificates->count < MAX_CERTIFICATES ? context_new(certificates, path) : NULL;
	if (context) {
		certificates->contexts[certificates->count++] = context;
		return true;
	}
	if (asprintf(ret_error, "%s is not a private key with its certificate chain: %s", path,
		    ERR_peek_error() ? ERR_reason_error_string(ERR_peek_error()) : "there are too many files") < 0)
		abort();
	ERR_clear_error();
	return false;
}

struct certificates *certificates_new(const char *folder, char **ret_error)
{
	struct certificates *certificates = calloc(1, sizeof(*certificates));
	struct dirent **entries = NULL;
	int count = scandir(folder, &entries, is_pem, alphasort);
	bool right = count > 0;

	if (!certificates || (!right && asprintf(ret_error, "%s has no file NAME.pem", folder) < 0))
		abort();
	for (int i = 0; i < count; i++) {
		right = right && load(certificates, folder, entries[i]->d_name, ret_error);
		free(entries[i]);
	}
	free(entries);
	if (right)
		return certificates;
	certificates_free(certificates);
	return NULL;
}

void certificates_free(struct certificates *certificates)
{
	if (!certificates)
		return;
	for (size_t i = 0; i < certificates->count; i++)
		SSL_CTX_free(certificates->contexts[i]);
	free(certificates);
}

int64_t certificates_end(const struct certificates *certificates)
{
	int64_t end = INT64_MAX;

	for (size_t i = 0; i < certificates->count; i++) {
		struct tm utc;

		if (ASN1_TIME_to_tm(X509_get0_notAfter(SSL_CTX_get0_certificate(certificates->contexts[i])), &utc) ==
				1 &&
			timegm(&utc) < end)
			end = timegm(&utc);
	}
	return end;
}

/* What OpenSSL says about a call that did not succeed. */
static enum stream_result after(struct stream *stream, int returned)
{
	int error = SSL_get_error(stream->tls, returned);

	if (error == SSL_ERROR_WANT_READ)
		stream->readable = false;
	else if (error == SSL_ERROR_WANT_WRITE)
		stream->writable = false;
	else
		return error == SSL_ERROR_ZERO_RETURN ? STREAM_CLOSED : STREAM_FAILED;
	return STREAM_WAITS;
}

static enum stream_result fill(struct stream *stream, struct buffer *buffer)
{
	size_t got = 0;
	int returned;

	ERR_clear_error(); /* SSL_get_error() looks at what earlier calls, also of others, have left there */
	returned = SSL_read_ex(stream->tls, buffer->data + buffer->end, buffer_room(buffer), &got);

	if (returned != 1)
		return after(stream, returned);
	buffer->end += got;
	return STREAM_MOVED;
}

/* What OpenSSL waits for may as well be a byte from the other side: half a KeyUpdate has come, and its rest goes first.
 */
static enum stream_result flush(struct stream *stream, struct buffer *buffer)
{
	while (buffer_length(buffer) && stream->writable) {
		size_t sent = 0;
		int returned;

		ERR_clear_error();
		returned = SSL_write_ex(stream->tls, buffer_bytes(buffer), buffer_length(buffer), &sent);

		if (returned != 1)
			return after(stream, returned) == STREAM_WAITS ? STREAM_WAITS : STREAM_FAILED;
		buffer->start += sent;
	}
	return buffer_length(buffer) ? STREAM_WAITS : STREAM_MOVED;
}

static void finish(struct stream *stream)
{
	if (SSL_is_init_finished(stream->tls))
		SSL_shutdown(stream->tls);
}

/* Looks for bytes without taking them; what TLS itself had to say is dealt with on the way. */
static bool quiet(struct stream *stream)
{
	char byte;
	size_t got;
	int returned;

	ERR_clear_error();
	returned = SSL_peek_ex(stream->tls, &byte, 1, &got);
	return returned != 1 && after(stream, returned) == STREAM_WAITS;
}

static void close_tls(struct stream *stream)
{
	finish(stream);
	SSL_free(stream->tls);
	stream->tls = NULL;
}

static bool put_layer(struct stream *stream, SSL *tls)
{
	static const struct stream_layer layer = { fill, flush, finish, quiet, close_tls };

	if (!tls || SSL_set_fd(tls, stream->fd) != 1) {
		SSL_free(tls);
		return false;
	}
	stream->tls = tls;
	stream->layer = &layer;
	return true;
}

bool tls_start(struct stream *stream, const struct certificates *certificates)
{
	SSL *tls = SSL_new(certificates->contexts[0]);

	if (tls)
		SSL_set_accept_state(tls);
	return put_layer(stream, tls);
}

struct trust *trust_new(const char *file, char **ret_error)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());

	if (!context)
		abort();
	set_up(context);
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_alpn_protos(context, (const unsigned char *)"\x08http/1.1", 9);
	if (*file ? SSL_CTX_load_verify_file(context, file) == 1 : SSL_CTX_set_default_verify_paths(context) == 1)
		return (struct trust *)context;
	ERR_clear_error();
	SSL_CTX_free(context);
	if (asprintf(ret_error, "PORTICO_PARTNER_CA: \"%s\" holds no certificates of authorities", file) < 0)
		abort();
	return NULL;
}

void trust_free(struct trust *trust)
{
	SSL_CTX_free((SSL_CTX *)trust);
}

static bool expect_host(SSL *tls, const char *host)
{
	unsigned char address[sizeof(struct in6_addr)];

	if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1)
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls), host) == 1;
	return SSL_set1_host(tls, host) == 1 && SSL_set_tlsext_host_name(tls, host) == 1;
}

bool tls_start_client(struct stream *stream, const struct trust *trust, const char *host)
{
	SSL *tls = SSL_new((SSL_CTX *)trust);

	if (tls && !expect_host(tls, host)) {
		SSL_free(tls);
		return false;
	}
	if (tls)
		SSL_set_connect_state(tls);
	return put_layer(stream, tls);
}

const char *tls_failure(const struct stream *stream)
{
	long verdict = stream->tls ? SSL_get_verify_result(stream->tls) : X509_V_OK;
	const char *reason = verdict == X509_V_OK ? ERR_reason_error_string(ERR_peek_error())
						  : X509_verify_cert_error_string(verdict);

	return reason ? reason : "it broke off, or did not end in time";
}

enum stream_result tls_handshake(struct stream *stream)
{
	int returned;

	ERR_clear_error();
	returned = SSL_do_handshake(stream->tls);
	if (returned != 1)
		return after(stream, returned);
	stream->readable = true; /* what came with the end of the handshake is in OpenSSL already: no event will tell */
	return STREAM_MOVED;
}

bool tls_chose_http2(const struct stream *stream)
{
	const unsigned char *chosen;
	unsigned length;

	SSL_get0_alpn_selected(stream->tls, &chosen, &length);
	return length == 2 && memcmp(chosen, "h2", 2) == 0;
}
