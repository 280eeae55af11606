/* The keys of session tickets: of this process, all its workers and all its certificates, changed each hour. A ticket
 * is good for at most two hours. */
#pragma once
#include <openssl/ssl.h>

void tls_tickets_enable(SSL_CTX *context);
