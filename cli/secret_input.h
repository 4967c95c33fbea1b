/* Secrets that a person or a script gives: typed without being shown, or the first line of a file.
 * Never from an argument, which others on the machine can read. One thread. */
#ifndef CLI_SECRET_INPUT_H
#define CLI_SECRET_INPUT_H

#include <stdbool.h>

#include "base/error.h"

enum { SECRET_MAX = 4096 }; /* bytes, the NUL included */

/* The first line of a file, "-" being standard input, without its end. INVALID_MESSAGE when it
 * cannot be read, is empty, or is longer than fits. Whoever calls wipes `out`. */
bool secret_from_file(const char *path, char out[SECRET_MAX], error *e);
/* Asks on the terminal, whatever standard input and output are, and does not show what is typed.
 * INVALID_MESSAGE where there is no terminal (the hint names `instead`), CANCELLED after Ctrl-C. */
bool secret_ask(const char *prompt, const char *instead, char out[SECRET_MAX], error *e);
/* The same twice, which must be equal: for a secret that is new. */
bool secret_ask_new(const char *what, const char *instead, char out[SECRET_MAX], error *e);

#endif
