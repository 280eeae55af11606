/* The folder of files on their way in. */
#pragma once

/* Removes what a process that was killed left in the folder: regular files of this user, made by mkostemp with
 * PREFIXXXXXXX, that nobody has written to for an hour. Others may be at work there. */
void spool_sweep(const char *folder, const char *prefix);
