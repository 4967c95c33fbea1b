/* The result of a live query, as a run of it left it: rows in the engine's packed form, one after
 * the other, and the key of each where they have one.
 *
 * It is filled on an engine thread and sealed; from then on it does not change. Its count of users
 * belongs to the thread of the live queries. */
#ifndef LIVE_RESULT_H
#define LIVE_RESULT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "engine/engine.h"

typedef struct lq_span {
    const char *p;
    size_t n;
} lq_span;

/* Byte strings, one after the other. */
typedef struct lq_strings {
    buf data;
    buf ends; /* a size_t for each: where it ends in data */
    int n;
} lq_strings;

typedef struct lq_result {
    int users;
    _Atomic int64_t *counted; /* where its bytes are counted, NULL: nowhere */
    uint64_t serial; /* counts results that differ from the one before; given by the owner */
    int64_t lsn;     /* the rows are those of this position */
    int n_columns;
    buf columns; /* [{"name","type"},...] as JSON */
    lq_strings rows;
    lq_strings keys;                /* packed key of each row; empty where n_key is 0 */
    int n_key, key[ENGINE_KEY_MAX]; /* the columns of the key; 0: no key, or it repeats */
} lq_result;

lq_result *lq_result_new(void); /* with one user; NULL when memory is out */
lq_result *lq_result_ref(lq_result *r);
void lq_result_unref(lq_result *r); /* NULL is fine */

/* What a run's sink does. False when memory is out. */
bool lq_result_columns(lq_result *r, const engine_column *cols, int n, const job_origin *origin);
bool lq_result_row(lq_result *r, const value *row, int n);
/* Looks whether the keys differ. False with e set when memory is out. */
bool lq_result_seal(lq_result *r, error *e);
/* Counts its bytes here from now on, until it is freed. */
void lq_result_count(lq_result *r, _Atomic int64_t *where);

size_t lq_result_bytes(const lq_result *r);
lq_span lq_strings_at(const lq_strings *s, int i);
/* The same columns and the same key, so that one can be told as a difference to the other. */
bool lq_result_alike(const lq_result *a, const lq_result *b);
/* The same in everything but the lsn. */
bool lq_result_equal(const lq_result *a, const lq_result *b);

static inline bool lq_span_equal(lq_span a, lq_span b)
{
    return a.n == b.n && __builtin_memcmp(a.p, b.p, a.n) == 0;
}

#endif
