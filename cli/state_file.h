/* A file that remembers a position from run to run: its first line. One process at a time has it.
 *
 * A line is written over the old one in a single write, so that it is the old one or the new one
 * whenever this process ends; and nothing is renamed, which would cost a millisecond each time. */
#ifndef CLI_STATE_FILE_H
#define CLI_STATE_FILE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"

typedef struct state_file {
    const char *path; /* borrowed */
    int fd;           /* locked; -1: not open */
} state_file;

/* Opens or creates the file and appends its line to `line`, without its end; nothing for a new one.
 * INVALID_MESSAGE when it cannot be opened, is not a file, or is in use. */
bool state_file_open(state_file *f, const char *path, buf *line, error *e);
/* CLIENT_ERROR says what failed. */
bool state_file_save(state_file *f, const char *line, error *e);
void state_file_close(state_file *f);

#endif
