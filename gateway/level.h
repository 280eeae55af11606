/* How sure a login was of the person: the levels of SPID and CIE (claim acr), from low to high. */
#pragma once

enum level { LEVEL_NONE, LEVEL_1, LEVEL_2, LEVEL_3 };

/* LEVEL_NONE for one that is not known, and for NULL. */
enum level level_of(const char *acr);
/* Those that are at least as high, the lowest first, as acr_values wants them. */
const char *level_and_above(enum level level);
