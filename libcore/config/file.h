/* Inside config: reads a configuration file (INI). Any thread. */
#ifndef CONFIG_FILE_H
#define CONFIG_FILE_H

#include <stdbool.h>

#include "base/error.h"

/* Calls `each` for every "name = value" of the section [rustydb] or before any section, in order.
 * `each` returns false to stop, having filled e. Errors (INVALID_MESSAGE, NOT_FOUND) begin with
 * "FILE:LINE: ", those of `each` too. */
bool config_file_read(const char *file,
                      bool (*each)(void *arg, int line, const char *name, const char *value,
                                   error *e),
                      void *arg, error *e);

#endif
