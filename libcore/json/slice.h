/* Pieces of a JSON text as they stand there, without a tree: for what must be kept to the letter (a
 * number's digits, a string's escapes) or passed on unread.
 *
 *     if (!json_slice_text(p, n, &whole, e)) ...
 *     for (json_items at = json_items_of(whole); json_items_next(&at, &name, &value);) ...
 *
 * Slices point into the text. Nothing is allocated. Any thread. */
#ifndef JSON_SLICE_H
#define JSON_SLICE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

typedef struct json_slice {
    const char *p;
    size_t n;
} json_slice;

/* The one value that a text holds, without the space around it. INVALID_MESSAGE, with the byte
 * offset in e->position, when the text is not JSON by RFC 8259's grammar, is not UTF-8, or is
 * nested deeper than JSON_SLICE_DEPTH. */
bool json_slice_text(const char *p, size_t n, json_slice *value, error *e);
enum { JSON_SLICE_DEPTH = 110 }; /* more than json_read_text takes, for what is wrapped around it */

/* Walks over the elements of an array or the members of an object that json_slice_text has passed,
 * or that this has given out; anything else has no items. */
typedef struct json_items {
    const char *p, *end; /* the rest, up to the closing bracket */
    bool object;
} json_items;

json_items json_items_of(json_slice container);
/* The next one: false when there is none left. `name`, of a member, has its quotes; it may be NULL.
 */
bool json_items_next(json_items *at, json_slice *name, json_slice *value);

/* Whether a string, quotes included, is this text of plain ASCII, in whatever way it is escaped. */
bool json_slice_is(json_slice string, const char *text);

#endif
