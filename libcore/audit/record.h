/* A record of the audit log, and the line it becomes:
 *
 *     {"n":7,"time":"...","action":"backup.delete","outcome":"refused","code":"NOT_FOUND",
 *      "user":"root","kind":"root","address":"127.0.0.1:50312","target":"monday",
 *      "request_id":"...","detail":{},"prev":"<SHA-256 of the line before, hexadecimal>"}
 *
 * All in printable ASCII. The members stand in this order and nothing is between them, so that the
 * number, the time and `prev` are found without a parser. A file begins with a line of its own, the
 * header, which is a link of the same chain:
 *
 *     {"n":6,"time":"...","log":"rustydb-audit","version":1,"log_id":"<random>","file":2,
 *      "prev":"<SHA-256 of the last line of the file before; zeros: there is none>"}
 *
 * where n is the number of the last record before it. Any thread. */
#ifndef AUDIT_RECORD_H
#define AUDIT_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/list.h"

typedef enum audit_action {
#define AUDIT(symbol, name, sensitive, bounded, meaning) AUDIT_##symbol,
#include "audit/actions.def"
#undef AUDIT
    AUDIT_ACTIONS
} audit_action;

typedef struct audit_action_info {
    const char *name;
    bool sensitive, bounded;
    const char *meaning;
} audit_action_info;

extern const audit_action_info audit_actions[AUDIT_ACTIONS];

/* -1 when there is none of this name. */
int audit_action_find(const char *name);

enum {
    AUDIT_HASH = 32, /* bytes: SHA-256 */
    AUDIT_ID = 32,   /* hexadecimal digits of a log's id */
    AUDIT_DETAIL_MAX =
        4096, /* bytes of a detail; a longer one is left out, and the record says so */
    AUDIT_LINE_MAX = 16384, /* bytes: no line is longer */
};

/* Who did it, and from where. Empty texts are unknown, and null in the line. */
typedef struct audit_from {
    char user[128];
    char kind[16];    /* of identity: "root", "user", "key", ...; "daemon" */
    char address[64]; /* HOST:PORT, or "unix" */
    char request_id[65];
} audit_from;

typedef struct audit_entry {
    list link; /* the log's */
    audit_action action;
    int64_t time_us; /* wall clock */
    error_code code; /* ERR_NONE: it was done; else why it was refused */
    audit_from from;
    char target[256]; /* what it was done to; cut to fit */
    char *detail;     /* a JSON object, or NULL; owned */
} audit_entry;

/* A place in the chain: what the next line has to fit. */
typedef struct audit_link {
    int64_t n;                      /* of the last record */
    unsigned char hash[AUDIT_HASH]; /* of the last line; zeros: there is none */
} audit_link;

/* Appends the line of a record, which gets the next number, without its line break. `at` moves on
 * to it. False when memory is out; `out` and `at` are as they were. */
bool audit_entry_put(buf *out, const audit_entry *r, audit_link *at);
/* The same for the header of file number `file`. */
bool audit_header_put(buf *out, const char *log_id, int64_t file, int64_t time_us, audit_link *at);

/* What a line says of its place; false when it is none of ours. */
typedef struct audit_line {
    int64_t n;
    unsigned char prev[AUDIT_HASH];
    bool header;
    int64_t file;              /* header */
    char log_id[AUDIT_ID + 1]; /* header */
} audit_line;
bool audit_line_read(const char *p, size_t n, audit_line *out);

/* Appends a text as it stands in a line: a JSON string in printable ASCII. */
void audit_text_put(buf *out, const char *text);

bool audit_hash(const char *p, size_t n, unsigned char out[AUDIT_HASH]);
void audit_hash_text(const unsigned char hash[AUDIT_HASH], char out[2 * AUDIT_HASH + 1]);
/* False when it is not as many hexadecimal digits, in lower case. */
bool audit_hash_parse(const char *text, size_t n, unsigned char out[AUDIT_HASH]);

#endif
