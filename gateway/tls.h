/* TLS 1.2 and 1.3. Towards clients: certificates chosen by the host name that the client asks for, HTTP/2 by ALPN,
 * sessions resumed by tickets. Towards back ends: their certificate must be of the name that was asked for, by an
 * authority that is trusted. */
#pragma once
#include <stdbool.h>
#include "stream.h"

struct certificates; /* immutable; what a reload replaces */

/* Each NAME.pem of the folder: the key and the chain, leaf first. The names are those of the certificate; the first
 * file by name serves clients that ask for no name, or for one that no certificate has. On failure NULL and *ret_error
 * (free it) is one sentence. */
struct certificates *certificates_new(const char *folder, char **ret_error);
void certificates_free(struct certificates *certificates);
/* Seconds since 1970 at which the first of them ends. */
int64_t certificates_end(const struct certificates *certificates);

/* The bytes of the stream are now those inside of TLS. False when there is no memory. */
bool tls_start(struct stream *stream, const struct certificates *certificates);
/* MOVED: done. */
enum stream_result tls_handshake(struct stream *stream);
bool tls_chose_http2(const struct stream *stream);

struct trust; /* whom back ends are known by; immutable */

/* The authorities in a PEM file, or those of the system when it is "". On failure NULL and *ret_error (free it). */
struct trust *trust_new(const char *file, char **ret_error);
void trust_free(struct trust *trust);

/* The stream, whose socket is connected, is to speak TLS with host (a name or an address). */
bool tls_start_client(struct stream *stream, const struct trust *trust, const char *host);
/* Why a handshake failed, in words that live as long as the stream. */
const char *tls_failure(const struct stream *stream);
