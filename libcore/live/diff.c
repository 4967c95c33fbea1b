#include "live/diff.h"

#include <string.h>

#include "base/mem.h"
#include "live/index.h"

/* The parts of the two results that differ, between what they begin and end with alike. Places here
 * count from `head`. */
typedef struct compare {
    const lq_result *old, *new;
    bool keyed;
    int head;
    int n_old, n_new;
    int *mate; /* per new row: the old one that is the same row, -1: none */
    int *kept; /* per new row: 1 when it is kept */
    int *gone; /* per old row: 1 when no new row is the same */
    int *last; /* lis: per length, the place in new of the row that ends the best run so far */
    int *prev; /* lis: per new row, the one before it in its run, -1: none */
} compare;

static lq_span old_row(const compare *c, int i)
{
    return lq_strings_at(&c->old->rows, c->head + i);
}

static lq_span new_row(const compare *c, int i)
{
    return lq_strings_at(&c->new->rows, c->head + i);
}

static void narrow(compare *c)
{
    c->n_old = c->old->rows.n;
    c->n_new = c->new->rows.n;
    while (c->n_old && c->n_new && lq_span_equal(old_row(c, 0), new_row(c, 0))) {
        c->head++;
        c->n_old--;
        c->n_new--;
    }
    while (c->n_old && c->n_new &&
           lq_span_equal(old_row(c, c->n_old - 1), new_row(c, c->n_new - 1))) {
        c->n_old--;
        c->n_new--;
    }
}

static bool allocate(compare *c)
{
    size_t n = (size_t)c->n_old + 4 * (size_t)c->n_new + 1;
    int *all = mem_zalloc(n * sizeof *all);
    if (!all)
        return false;
    c->mate = all;
    c->kept = c->mate + c->n_new;
    c->last = c->kept + c->n_new;
    c->prev = c->last + c->n_new;
    c->gone = c->prev + c->n_new;
    return true;
}

/* ---- which rows are the same ------------------------------------------------------------------
 */

/* Equal ones are paired from the first on. */
static bool find_mates(compare *c)
{
    lq_index x;
    const lq_strings *from = c->keyed ? &c->old->keys : &c->old->rows;
    const lq_strings *to = c->keyed ? &c->new->keys : &c->new->rows;
    if (!lq_index_make(&x, from, c->head + c->n_old))
        return false;
    for (int i = c->n_old; i-- > 0;) {
        c->gone[i] = 1;
        lq_index_add(&x, c->head + i);
    }
    for (int i = 0; i < c->n_new; i++) {
        int at = lq_index_take(&x, lq_strings_at(to, c->head + i));
        c->mate[i] = at < 0 ? -1 : at - c->head;
        if (at >= 0)
            c->gone[c->mate[i]] = 0;
    }
    lq_index_free(&x);
    return true;
}

/* The shortest run in last[0..n) that this row cannot make longer. */
static int place_in_runs(const compare *c, int n, int mate)
{
    int low = 0, high = n;
    while (low < high) {
        int mid = (low + high) / 2;
        if (c->mate[c->last[mid]] < mate)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* Keeps the longest run of equal rows that stand in the same order in both. */
static void keep_longest_run(compare *c)
{
    int n = 0;
    for (int i = 0; i < c->n_new; i++) {
        int mate = c->mate[i];
        if (mate < 0 || !lq_span_equal(old_row(c, mate), new_row(c, i)))
            continue;
        int at = place_in_runs(c, n, mate);
        c->last[at] = i;
        c->prev[i] = at ? c->last[at - 1] : -1;
        if (at == n)
            n++;
    }
    for (int i = n ? c->last[n - 1] : -1; i >= 0; i = c->prev[i])
        c->kept[i] = 1;
}

/* ---- what is to be told -----------------------------------------------------------------------
 */

static void tell(lq_diff *d, const compare *c, int was, int at)
{
    d->changes[d->n++] = (lq_change){was < 0 ? -1 : c->head + was, at < 0 ? -1 : c->head + at};
    if (at >= 0)
        d->bytes += new_row(c, at).n;
    else if (c->keyed)
        d->bytes += lq_strings_at(&c->old->keys, c->head + was).n;
    else
        d->bytes += old_row(c, was).n;
    if (at < 0)
        d->removed++;
    else if (was < 0)
        d->added++;
    else
        d->changed++;
}

/* Without a key: what is not kept has no mate either, but stands in for the row that was there. */
static void pair_within_gaps(compare *c)
{
    int old = 0; /* first row of the gap in old */
    for (int i = 0; i < c->n_new; i++) {
        if (!c->kept[i] && c->mate[i] >= 0) {
            c->gone[c->mate[i]] = 1;
            c->mate[i] = -1;
        }
    }
    for (int i = 0; i < c->n_new; i++) {
        if (c->kept[i]) {
            old = c->mate[i] + 1;
        } else if (old < c->n_old && c->gone[old]) {
            c->mate[i] = old;
            c->gone[old++] = 0;
        }
    }
}

static void tell_all(lq_diff *d, compare *c)
{
    for (int i = 0; i < c->n_new; i++) {
        if (!c->kept[i])
            tell(d, c, c->mate[i], i);
    }
    for (int i = 0; i < c->n_old; i++) {
        if (c->gone[i])
            tell(d, c, i, -1);
    }
}

bool lq_diff_make(lq_diff *d, const lq_result *old, const lq_result *new)
{
    compare c = {.old = old, .new = new, .keyed = new->n_key > 0};
    *d = (lq_diff){0};
    narrow(&c);
    if (!allocate(&c))
        return false;
    bool ok = find_mates(&c);
    if (ok) {
        keep_longest_run(&c);
        if (!c.keyed)
            pair_within_gaps(&c);
        d->changes = mem_alloc(((size_t)c.n_old + (size_t)c.n_new + 1) * sizeof *d->changes);
        ok = d->changes != NULL;
    }
    if (ok)
        tell_all(d, &c);
    mem_free(c.mate);
    return ok;
}

void lq_diff_free(lq_diff *d)
{
    mem_free(d->changes);
    *d = (lq_diff){0};
}
