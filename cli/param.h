/* Parameters from the command line, made into the "params" of a request. */
#ifndef CLI_PARAM_H
#define CLI_PARAM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

/* Appends one PARAM as JSON: a JSON number, true, false and null as they are, else as text.
 * INVALID_MESSAGE when it is not UTF-8. */
bool param_value(buf *out, const char *text, error *e);
/* [PARAM,...] */
bool param_array(buf *out, char **words, int n, error *e);
/* One more NAME=VALUE for an object that the caller opens and closes; NAME may have its : @ or $.
 * INVALID_MESSAGE when there is no '=' or no name. */
bool param_named(buf *out, bool first, const char *assignment, error *e);

#endif
