/* TLS 1.2 and 1.3 towards clients: certificates chosen by the host name that the client asks for, HTTP/2 by ALPN,
 * sessions resumed by tickets. */
#pragma once
#include <stdbool.h>
#include "stream.h"

struct certificates; /* immutable, counted; what a reload replaces */

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
