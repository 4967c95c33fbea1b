/* Reads CSV (RFC 4180) that is fed in any pieces: quoted fields with doubled quotes, separators and
 * line ends inside them, LF or CRLF, a byte order mark. The first record is the header, and every
 * further record must have as many fields. Lines with nothing in them are passed over.
 *
 * It holds one record. What breaks the rules is an error with its line, and never guessed at.
 *
 *     csv_feed(&c, piece, n);
 *     while ((r = csv_next(&c, &e)) == CSV_RECORD)
 *         ... c.fields[0] to c.fields[c.n_fields - 1] ...
 *     r is CSV_MORE: feed the next piece, or csv_finish and go on until CSV_END.
 *
 * One thread. */
#ifndef BASE_CSV_H
#define BASE_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

enum { CSV_MAX_FIELDS = 4096 };

typedef struct csv_field {
    const char *p; /* UTF-8 without its quotes, not NUL-terminated */
    size_t len;
    size_t at;   /* where it starts in the reader's buffer */
    bool quoted; /* it stood in quotes: "" is an empty text, nothing at all need not be */
} csv_field;

typedef enum csv_result { CSV_RECORD, CSV_MORE, CSV_END, CSV_ERROR } csv_result;

/* What the next byte belongs to. */
typedef enum csv_state {
    CSV_RECORD_START,
    CSV_FIELD_START,
    CSV_PLAIN,  /* a field without quotes */
    CSV_QUOTED, /* inside quotes */
    CSV_QUOTE,  /* after a quote inside quotes: its end, or the first of two */
    CSV_CR,     /* after a carriage return, which LF must follow */
    CSV_BLANK,  /* the same in a line with nothing in it */
} csv_state;

typedef struct csv_reader {
    char separator;
    size_t max_record; /* bytes of a record's fields together */

    /* the record read last; valid until the next csv_next */
    csv_field *fields; /* owned */
    int n_fields;
    int64_t record_line; /* where it began */
    int64_t records;     /* begun so far, the header included */

    /* the reader's own */
    const char *in, *in_end; /* what is left of the piece: borrowed */
    bool finished;
    bool failed;
    error why;
    int64_t offset, line; /* of the next byte, from 0 and 1 */
    int bom;              /* bytes of a byte order mark seen, -1: it was none */
    csv_state state;
    buf text;    /* the fields of the record, one behind the other */
    int room;    /* of fields */
    int columns; /* of the header, 0 before it */
} csv_reader;

void csv_init(csv_reader *c, char separator, size_t max_record);
void csv_free(csv_reader *c);

/* The next piece; it must stay until csv_next has said CSV_MORE. */
void csv_feed(csv_reader *c, const char *p, size_t n);
/* There is no further piece. */
void csv_finish(csv_reader *c);

/* The next record. Errors are INVALID_MESSAGE with the line and, in e->position, the byte offset,
 * MESSAGE_TOO_BIG, or INTERNAL_ERROR when memory is out; after one every call gives the same. */
csv_result csv_next(csv_reader *c, error *e);

#endif
