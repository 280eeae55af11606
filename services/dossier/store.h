/* The folder of the documents: files by their SHA-256 (aa/bb/aabb…), never by a name that somebody gave. The database
 * says what they are and who may see them; here are only bytes. */
#pragma once
#include "service.h"
#include "text.h"

/* Checks the folder of PORTICO_DOCUMENTS; false after a sentence on standard error. */
bool store_start(void);
/* Moves a file of the spool folder to its place, durably. False: rq is answered. */
bool store_take(struct request *rq, const char *file, const char *sha256);
/* Writes bytes durably to their place; digest gets the 64 hex digits. False: rq is answered. */
bool store_write(struct request *rq, const void *bytes, size_t length, char digest[TEXT_SHA256_MAX]);
/* The descriptor of a stored file, or -1. */
int store_open(struct request *rq, const char *sha256);
/* Removes a file that nothing refers to. True also when it was gone. */
bool store_remove(struct request *rq, const char *sha256);
