/* A file that remembers a position from run to run: one short line, replaced as a whole, so that it
 * holds the old text or the new one whenever the process ends. */
#ifndef CLI_STATE_FILE_H
#define CLI_STATE_FILE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"

/* Appends the line, without its end. True with nothing appended when the file does not exist. */
bool state_file_read(const char *path, buf *out, error *e);
/* Writes PATH.new and renames it. CLIENT_ERROR says what failed. */
bool state_file_write(const char *path, const char *text, error *e);

#endif
