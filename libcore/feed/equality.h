/* Finds in a WHERE expression what every matching row must have: a column equal to a value that
 * stands there. With it a filter can be found by an event's values instead of being tried on every
 * event. It is a necessary condition and not the whole of the filter. Any thread. */
#ifndef FEED_EQUALITY_H
#define FEED_EQUALITY_H

#include <stdbool.h>

#include "base/buf.h"
#include "engine/engine.h"

/* Looks for a term `column = literal` that the expression is, or that is joined by AND to the rest
 * of it. True: *column is its place in the shape, and `key` has the literal's key appended. The
 * column's affinity and collation decide which literals are understood; others are left alone.
 * False too when memory is out (then key->failed). */
bool equality_find(const char *where, const table_shape *shape, int *column, buf *key);

/* Appends the key of a column's value: values that SQLite's `=` finds equal in this column have
 * equal keys. False: NULL, which equals nothing. */
bool equality_key(const table_shape *shape, int column, const value *v, buf *key);

#endif
