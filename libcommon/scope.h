/* What dies with the scope: cleanup attributes for the handles that are neither the arena's nor the request's.
 * Use as `auto_result PGresult *r = …;`. A pointer that outlives the scope is handed over with steal(). */
#pragma once
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define scope_of(type, name, release)                                                                                  \
	static inline void scope_##name(type *handle)                                                                  \
	{                                                                                                              \
		if (*handle)                                                                                           \
			release(*handle);                                                                              \
	}

#define steal(pointer)                                                                                                 \
	({                                                                                                             \
		__typeof__(pointer) stolen_ = (pointer);                                                               \
		(pointer) = NULL;                                                                                      \
		stolen_;                                                                                               \
	})

static inline void scope_free(void *pointer)
{
	free(*(void **)pointer);
}

static inline void scope_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

scope_of(FILE *, file, fclose)

#define auto_free __attribute__((cleanup(scope_free)))
#define auto_file __attribute__((cleanup(scope_file)))
#define auto_fd __attribute__((cleanup(scope_close)))

#ifdef LIBPQ_FE_H
	scope_of(PGresult *, result, PQclear)
#define auto_result __attribute__((cleanup(scope_result)))
#endif

#ifdef OPENSSL_EVP_H
		scope_of(EVP_PKEY *, pkey, EVP_PKEY_free) scope_of(EVP_MD_CTX *, md_ctx, EVP_MD_CTX_free)
#define auto_pkey __attribute__((cleanup(scope_pkey)))
#define auto_md_ctx __attribute__((cleanup(scope_md_ctx)))
#endif

#ifdef __HIREDIS_H
			static inline void scope_redis_reply(redisReply **reply)
{
	if (*reply)
		freeReplyObject(*reply);
}
#define auto_reply __attribute__((cleanup(scope_redis_reply)))
#endif
