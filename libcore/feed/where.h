/* The text of a WHERE expression, looked at before it meets any SQL compiler.
 *
 * The expression is put between parentheses inside a larger statement, so its tokens must not be
 * able to end those parentheses, the statement, or swallow what follows. What the tokens alone show
 * to be forbidden is refused here, with its place. */
#ifndef FEED_WHERE_H
#define FEED_WHERE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"

/* Appends the expression with its spaces and comments reduced to single spaces: expressions that
 * differ in nothing else are the same filter. False with INVALID_MESSAGE and the byte offset of the
 * offending token, or INTERNAL_ERROR when memory is out. Any thread. */
bool where_normalise(const char *where, buf *out, error *e);

#endif
