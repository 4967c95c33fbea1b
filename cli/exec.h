/* Runs a shell command with a text on its standard input. */
#ifndef CLI_EXEC_H
#define CLI_EXEC_H

#include <stddef.h>

/* Runs `sh -c command`, gives it the text, waits for its end. Returns its exit status, 128 + N when
 * signal N ended it, -1 when it could not be started (errno says why). A command that does not read
 * all of its input is fine. */
int exec_with_input(const char *command, const char *p, size_t n);

#endif
