/* Reads the elements of a JSON document that is too large to hold: it is fed bytes in any pieces
 * and gives one element after the other as text, holding never more than one.
 *
 * The elements are those of the array at a JSON pointer (RFC 6901; "" is the document itself), or
 * the lines of JSON lines. The grammar of the whole document is checked, so that a damaged one
 * never passes for a short one; what is inside an element is for json_read_text to judge.
 *
 *     json_scan_feed(&s, piece, n);
 *     while ((r = json_scan_next(&s, &text, &length, e)) == SCAN_ELEMENT)
 *         ...
 *     r is SCAN_MORE: feed the next piece, or json_scan_finish and go on until SCAN_END.
 *
 * One thread. */
#ifndef JSON_SCAN_H
#define JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "json/read.h"

typedef enum scan_mode { SCAN_ARRAY, SCAN_LINES } scan_mode;

typedef enum scan_result {
    SCAN_ELEMENT, /* one element */
    SCAN_MORE,    /* the piece is used up */
    SCAN_END,     /* the document is complete */
    SCAN_ERROR,   /* it is malformed, has no such array, or an element is too big */
} scan_result;

/* What the next byte belongs to. */
typedef enum scan_state {
    SCAN_VALUE,        /* a value must come */
    SCAN_VALUE_OR_END, /* just after '[' */
    SCAN_KEY,          /* a member's name must come */
    SCAN_KEY_OR_END,   /* just after '{' */
    SCAN_COLON,
    SCAN_AFTER,  /* a ',' or the end of the innermost container */
    SCAN_DONE,   /* nothing but white space */
    SCAN_STRING, /* inside a string, of a name or a value */
    SCAN_ESCAPE, /* after '\' */
    SCAN_UNICODE,
    SCAN_LITERAL, /* true, false, null */
    SCAN_MINUS,   /* numbers: after '-' */
    SCAN_ZERO,    /* after a leading 0 */
    SCAN_INTEGER,
    SCAN_POINT, /* after '.' */
    SCAN_FRACTION,
    SCAN_EXPONENT, /* after 'e' */
    SCAN_SIGN,     /* after its sign */
    SCAN_POWER,
} scan_state;

typedef struct json_scan {
    scan_mode mode;
    size_t max_element; /* bytes */

    /* the pointer, taken apart */
    char *path;                /* owned; the tokens, unescaped, each with a NUL behind it */
    int n_tokens;              /* at most JSON_MAX_DEPTH */
    size_t at[JSON_MAX_DEPTH]; /* where each token starts in path */

    /* input */
    const char *in, *in_end; /* what is left of the piece: borrowed */
    bool finished;
    bool failed;
    error why;              /* when failed */
    int64_t offset, line;   /* of the next byte, from 0 and 1 */
    int bom;                /* bytes of a byte order mark seen */
    const char *mark;       /* where the open element goes on in the piece, NULL: none is open */
    buf held;               /* what earlier pieces had of the open element */
    bool given;             /* held was given out and is to be emptied */
    int64_t n_elements;     /* begun so far */
    int64_t element_line;   /* where the last one began */
    int64_t element_offset; /* likewise */

    /* grammar (SCAN_ARRAY) */
    scan_state state;
    int depth;                      /* containers open */
    bool is_object[JSON_MAX_DEPTH]; /* each of them */
    int64_t index[JSON_MAX_DEPTH];  /* of the current element of each open array */
    const char *literal;            /* what must follow */
    bool in_key;                    /* the open string is a name */
    int hex_left;                   /* SCAN_UNICODE: digits to come */
    unsigned code, high;            /* the code unit being read; a high surrogate before it */

    /* the way to the array */
    int on_path;     /* outermost containers that lie on the pointer's path */
    bool key_same;   /* the name read so far agrees with the token wanted here */
    size_t key_at;   /* bytes of that token that were compared */
    int array_depth; /* depth inside the array while it is open, else 0 */
    bool found;      /* the array has been there */
} json_scan;

/* `pointer` is read for SCAN_ARRAY only. INVALID_MESSAGE when it is malformed. */
bool json_scan_init(json_scan *s, scan_mode mode, const char *pointer, size_t max_element,
                    error *e);
void json_scan_free(json_scan *s);

/* The next piece; it must stay until json_scan_next has said SCAN_MORE. */
void json_scan_feed(json_scan *s, const char *p, size_t n);
/* There is no further piece. */
void json_scan_finish(json_scan *s);

/* The next element: its text without white space around it lives until the next call. Errors are
 * INVALID_MESSAGE with the line and, in e->position, the byte offset, MESSAGE_TOO_BIG, or
 * INTERNAL_ERROR when memory is out; after one every call gives the same. */
scan_result json_scan_next(json_scan *s, const char **text, size_t *n, error *e);

#endif
