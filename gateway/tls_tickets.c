/* Tickets are sealed with the newest key and opened with the newest two. OpenSSL's own keys would live as long as a
 * certificate's context does: too long for whoever records and later steals one, too short across a reload. */
#include "tls_tickets.h"
#include <openssl/core_names.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { NAME_BYTES = 16, KEY_BYTES = 32, LIFE_SECONDS = 3600 };

struct ticket_key {
	unsigned char name[NAME_BYTES], cipher[KEY_BYTES], mac[KEY_BYTES];
	time_t made; /* monotonic; 0: none yet */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of keys; taken once a handshake */
static struct ticket_key keys[2];			 /* the newest first */

static bool make_key(struct ticket_key *key, time_t now)
{
	key->made = now;
	return RAND_bytes(key->name, NAME_BYTES) == 1 && RAND_priv_bytes(key->cipher, KEY_BYTES) == 1 &&
	       RAND_priv_bytes(key->mac, KEY_BYTES) == 1;
}

/* The keys as they are now, the old one dropped when its time is over. */
static bool current_keys(struct ticket_key copy[2])
{
	struct timespec now;
	bool made = true;

	clock_gettime(CLOCK_MONOTONIC, &now);
	pthread_mutex_lock(&lock);
	if (!keys[0].made || now.tv_sec - keys[0].made >= LIFE_SECONDS) {
		keys[1] = keys[0];
		made = make_key(&keys[0], now.tv_sec + 1);
		if (!made)
			keys[0].made = 0; /* half a key is none */
	}
	if (now.tv_sec - keys[1].made >= 2 * LIFE_SECONDS)
		keys[1].made = 0;
	memcpy(copy, keys, sizeof(keys));
	pthread_mutex_unlock(&lock);
	return made;
}

static bool set_mac(EVP_MAC_CTX *mac, struct ticket_key *key)
{
	char digest[] = "SHA256";
	OSSL_PARAM parameters[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac, KEY_BYTES),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_MAC_CTX_set_params(mac, parameters) == 1;
}

static int seal(
	struct ticket_key *key, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
	memcpy(name, key->name, NAME_BYTES);
	if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1 ||
		EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->cipher, iv) != 1 || !set_mac(mac, key))
		return -1;
	return 1;
}

/* 1: opened, 2: opened and to be replaced by a new one, 0: not ours (a full handshake follows). */
static int unseal(struct ticket_key pair[2], const unsigned char *name, const unsigned char *iv, EVP_CIPHER_CTX *cipher,
	EVP_MAC_CTX *mac)
{
	for (int i = 0; i < 2; i++) {
		if (!pair[i].made || memcmp(pair[i].name, name, NAME_BYTES) != 0)
			continue;
		if (!set_mac(mac, &pair[i]) ||
			EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, pair[i].cipher, iv) != 1)
			return -1;
		return i == 0 ? 1 : 2;
	}
	return 0;
}

static int use_ticket_key(
	SSL *tls, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int sealing)
{
	struct ticket_key pair[2];
	int result = -1;

	if (current_keys(pair))
		result = sealing ? seal(&pair[0], name, iv, cipher, mac) : unseal(pair, name, iv, cipher, mac);
	OPENSSL_cleanse(pair, sizeof(pair));
	return result;
}

void tls_tickets_enable(SSL_CTX *context)
{
	static const unsigned char shared_by_all[] = "portico";

	SSL_CTX_set_session_id_context(context, shared_by_all, sizeof(shared_by_all) - 1);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_timeout(context, LIFE_SECONDS);
	SSL_CTX_set_num_tickets(context, 1);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(context, use_ticket_key);
}
