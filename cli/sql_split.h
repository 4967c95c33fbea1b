/* Cuts SQL text into statements. It knows strings, quoted names, comments and the bodies of
 * triggers, and takes its text piece by piece, so that a long file need not be in memory. */
#ifndef CLI_SQL_SPLIT_H
#define CLI_SQL_SPLIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* What a statement does to the transaction it stands in. */
typedef enum sql_kind {
    SQL_OTHER,
    SQL_BEGIN,
    SQL_COMMIT,   /* COMMIT or END */
    SQL_ROLLBACK, /* of the whole transaction, not to a savepoint */
} sql_kind;

typedef struct sql_statement {
    const char *text; /* from its first word to before its ';'; valid until the next call */
    size_t n;
    int64_t line; /* of the input, from 1, on which it begins */
    sql_kind kind;
} sql_statement;

/* Where the words of the present statement have brought us. */
typedef enum split_state {
    SPLIT_START,     /* no word yet, or EXPLAIN */
    SPLIT_CREATE,    /* CREATE, CREATE TEMP */
    SPLIT_PLAIN,     /* ends at the next ';' */
    SPLIT_TRIGGER,   /* a trigger's body: ends at "; END ;" */
    SPLIT_BODY_SEMI, /* behind a ';' of that body */
    SPLIT_BODY_END,  /* behind the END behind that ';' */
} split_state;

typedef struct sql_split {
    buf text;     /* input not yet given out */
    buf current;  /* the statement given out last, with a NUL behind it */
    size_t start; /* of the present statement in text; == at while there is none */
    size_t at;    /* scanned up to here */
    size_t end;   /* behind the last token that was not space */
    int64_t line; /* at `at`, from 1 */
    int64_t start_line;
    split_state state;
    int words; /* tokens so far, up to 3 */
    sql_kind kind;
} sql_split;

void sql_split_init(sql_split *s);
void sql_split_free(sql_split *s);
/* More text. */
void sql_split_feed(sql_split *s, const char *p, size_t n);
/* The next statement that is complete; with `last` (no more text will come) also one without ';' at
 * the end. False when there is none. Empty statements are passed over. */
bool sql_split_next(sql_split *s, bool last, sql_statement *out);

#endif
