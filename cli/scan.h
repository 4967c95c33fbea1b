/* Reads JSON text without building a tree: values stay slices of the text, so that numbers are
 * passed on digit for digit as the daemon wrote them, and a row costs no allocation.
 *
 * It trusts its input to be JSON (it comes from the daemon) but never reads outside it; what cannot
 * be understood is reported as failed. */
#ifndef CLI_SCAN_H
#define CLI_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* The text of one value, without surrounding space. Borrowed. */
typedef struct scan_text {
    const char *p;
    size_t n;
} scan_text;

typedef enum scan_kind {
    SCAN_NOTHING,
    SCAN_NULL,
    SCAN_BOOL,
    SCAN_NUMBER,
    SCAN_STRING,
    SCAN_ARRAY,
    SCAN_OBJECT
} scan_kind;

scan_kind scan_kind_of(scan_text t);

/* The one value in p[0..n), with nothing but space around it; an empty slice when there is none. */
scan_text scan_value(const char *p, size_t n);

/* Walks the items of an array or the members of an object. */
typedef struct scan_items {
    const char *p, *end;
    bool object;
    bool first;
    bool failed;
} scan_items;

/* False when t is neither array nor object. */
bool scan_enter(scan_items *it, scan_text t);
/* The next item; key (may be NULL) gets a member's name with its quotes. False at the end, or when
 * the text is broken (it->failed). */
bool scan_next(scan_items *it, scan_text *key, scan_text *value);

/* A member of an object by a name that needs no escapes; false when absent. */
bool scan_member(scan_text object, const char *name, scan_text *value);

/* Appends what a string means, without quotes and escapes. False when t is no string. */
bool scan_unquote(buf *out, scan_text t);
/* Whether t is the string s (which needs no escapes). */
bool scan_is(scan_text t, const char *s);
/* An integer that fits; false otherwise. */
bool scan_int(scan_text t, int64_t *out);
/* Whether the text is a number by JSON's grammar. */
bool scan_is_number(const char *p, size_t n);

#endif
