/* Owns for what private keys are encrypted at rest, and under which setting. */
#include "seal.h"
#include "identity.h"

static const char purpose[] = "portico signing keys, 1";

const char *seal(struct request *rq, const char *label, const char *text)
{
	return seal_text(rq->arena, config(key_secret_setting), purpose, label, text);
}

const char *unseal(struct request *rq, const char *label, const char *sealed)
{
	return seal_open(rq->arena, config(key_secret_setting), purpose, label, sealed);
}
