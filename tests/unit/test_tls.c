/* TLS under a stream, with a client whose bytes come in the pieces that are hardest to notice. */
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "tls.h"
#include "unit.h"

static char folder[] = "/tmp/portico-tls-XXXXXX", file[64];

static int make_certificate(void **state)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = X509_new();
	X509_NAME *name = X509_get_subject_name(certificate);
	FILE *pem;

	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"area.example", -1, -1, 0);
	X509_set_issuer_name(certificate, name);
	X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
	X509_set_pubkey(certificate, key);
	X509_sign(certificate, key, EVP_sha256());
	assert_non_null(mkdtemp(folder));
	snprintf(file, sizeof(file), "%s/area.pem", folder);
	pem = fopen(file, "w");
	assert_non_null(pem);
	PEM_write_PrivateKey(pem, key, NULL, NULL, 0, NULL, NULL);
	PEM_write_X509(pem, certificate);
	fclose(pem);
	X509_free(certificate);
	EVP_PKEY_free(key);
	return 0;
}

static int remove_certificate(void **state)
{
	return unlink(file) || rmdir(folder);
}

static void send_all(int fd, BIO *from)
{
	char *bytes;
	long length = BIO_get_mem_data(from, &bytes);

	assert_int_equal(send(fd, bytes, (size_t)length, 0), length);
	BIO_reset(from);
}

/* Shakes hands, and sends the last of it in one piece with a request. */
static void *run_client(void *fd)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	SSL *tls = SSL_new(context);
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());

	SSL_set_bio(tls, in, out);
	while (SSL_connect(tls) != 1) {
		char bytes[8192];
		ssize_t length;

		send_all(*(int *)fd, out);
		length = recv(*(int *)fd, bytes, sizeof(bytes), 0);
		assert_true(length > 0);
		BIO_write(in, bytes, (int)length);
	}
	SSL_write(tls, "GET /", 5);
	send_all(*(int *)fd, out);
	SSL_free(tls);
	SSL_CTX_free(context);
	return NULL;
}

/* OpenSSL has read the request together with the end of the handshake: the socket is empty, and epoll will say nothing
 * of it. */
static void bytes_behind_the_handshake_are_read(void **state)
{
	char *error;
	struct certificates *certificates = certificates_new(folder, &error);
	struct stream stream = { 0 };
	struct buffer_pool pool = { 0 };
	struct buffer buffer = { 0 };
	pthread_t client;
	int pair[2];

	assert_non_null(certificates);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	stream.fd = pair[0]; /* it blocks, so that the handshake is one call */
	assert_true(tls_start(&stream, certificates));
	assert_int_equal(pthread_create(&client, NULL, run_client, &pair[1]), 0);
	assert_int_equal(tls_handshake(&stream), STREAM_MOVED);
	pthread_join(client, NULL);
	buffer_need(&pool, &buffer);
	assert_int_equal(stream_fill(&stream, &buffer), STREAM_MOVED);
	assert_int_equal(buffer_length(&buffer), 5);
	assert_memory_equal(buffer_bytes(&buffer), "GET /", 5);
	buffer_release(&pool, &buffer);
	buffer_pool_empty(&pool);
	stream_close(&stream);
	close(pair[1]);
	certificates_free(certificates);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(bytes_behind_the_handshake_are_read) };

	return cmocka_run_group_tests(tests, make_certificate, remove_certificate);
}
