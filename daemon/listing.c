#include "daemon/listing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "daemon/survey.h"

/* Where a description ends in listing_rows.text. */
typedef struct row_end {
    uint64_t number;
    size_t at;
} row_end;

typedef struct listing {
    const listing_kind *kind;
    void *filter; /* owned */
    int64_t offset, limit, total;
    uint64_t *wanted; /* the numbers on the page, ascending; owned */
    size_t n_wanted;
    char id[64]; /* of the one that is asked for; empty: a page is */
} listing;

typedef struct numbers_part {
    buf numbers;
} numbers_part;

void listing_begin(listing_rows *to, json_writer *w)
{
    jw_init(w, &to->text);
}

void listing_end(listing_rows *to, uint64_t number)
{
    const row_end end = {number, to->text.len};
    buf_add(&to->ends, &end, sizeof end);
}

/* ---- the end -----------------------------------------------------------------------------------
 */

static void listing_free(listing *l)
{
    mem_free(l->filter);
    mem_free(l->wanted);
    mem_free(l);
}

/* The request, if somebody still waits for its answer. */
static request *waiting_request(conn *asker)
{
    return asker->state == CONN_DEAD ? NULL : asker->req;
}

static void reply_no_memory(conn *asker)
{
    error e;
    request *q = waiting_request(asker);
    if (!q)
        return;
    error_set(&e, ERR_INTERNAL_ERROR, "there is no memory for the answer");
    http_reply_error(q, &e);
}

/* ---- the second round: descriptions ------------------------------------------------------------
 */

static void look_closer(survey *s, reactor *r, void *part)
{
    const listing *l = s->arg;
    l->kind->describe(r, l->wanted, l->n_wanted, part);
}

/* What is left of one reactor's rows while they are merged. */
typedef struct reader {
    const listing_rows *rows;
    size_t n, at, from;
} reader;

static row_end row_at(const reader *in)
{
    row_end end;
    memcpy(&end, in->rows->ends.data + in->at * sizeof end, sizeof end);
    return end;
}

/* Writes the rows of all reactors in the order of their numbers; how many. */
static size_t merge_rows(survey *s, json_writer *w)
{
    reader *in = xalloc((size_t)s->n_parts * sizeof *in);
    size_t rows = 0;
    for (int i = 0; i < s->n_parts; i++) {
        in[i].rows = survey_part(s, i);
        in[i].n = in[i].rows->ends.len / sizeof(row_end);
    }
    for (;; rows++) {
        reader *next = NULL;
        for (int i = 0; i < s->n_parts; i++) {
            if (in[i].at < in[i].n && (!next || row_at(&in[i]).number < row_at(next).number))
                next = &in[i];
        }
        if (!next)
            break;
        size_t end = row_at(next).at;
        jw_raw(w, next->rows->text.data + next->from, end - next->from);
        next->from = end;
        next->at++;
    }
    mem_free(in);
    return rows;
}

static void reply_page(request *q, survey *s)
{
    const listing *l = s->arg;
    buf out;
    json_writer w;
    http_begin_json(&w, &out);
    jw_key(&w, "total");
    jw_int(&w, l->total);
    jw_key(&w, "offset");
    jw_int(&w, l->offset);
    jw_key(&w, "limit");
    jw_int(&w, l->limit);
    jw_key(&w, l->kind->name);
    jw_begin_array(&w);
    merge_rows(s, &w);
    jw_end_array(&w);
    if (l->kind->add_members)
        l->kind->add_members(q->c->r->d, &w);
    http_end_json(q, 200, &w);
}

static void reply_one(request *q, survey *s)
{
    const listing *l = s->arg;
    buf out = BUF_INIT;
    json_writer w;
    error e;
    jw_init(&w, &out);
    if (merge_rows(s, &w) == 0)
        error_set(&e, ERR_NOT_FOUND, "there is no %s %s", l->kind->one, l->id);
    else if (out.failed)
        error_set(&e, ERR_INTERNAL_ERROR, "there is no memory for the answer");
    else
        error_clear(&e);
    if (e.code != ERR_NONE)
        http_reply_error(q, &e);
    else
        http_reply(q, 200, out.data, out.len);
    buf_free(&out);
}

static void described(survey *s, conn *asker)
{
    listing *l = s->arg;
    request *q = waiting_request(asker);
    bool failed = false;
    for (int i = 0; i < s->n_parts; i++) {
        const listing_rows *rows = survey_part(s, i);
        failed = failed || rows->text.failed || rows->ends.failed;
    }
    if (failed)
        reply_no_memory(asker);
    else if (q && l->id[0])
        reply_one(q, s);
    else if (q)
        reply_page(q, s);
    for (int i = 0; i < s->n_parts; i++) {
        listing_rows *rows = survey_part(s, i);
        buf_free(&rows->text);
        buf_free(&rows->ends);
    }
    listing_free(l);
}

static const survey_kind second_round = {sizeof(listing_rows), look_closer, described};

/* ---- the first round: numbers ------------------------------------------------------------------
 */

static void look_for_numbers(survey *s, reactor *r, void *part)
{
    const listing *l = s->arg;
    l->kind->collect(r, l->filter, &((numbers_part *)part)->numbers);
}

static int by_number(const void *a, const void *b)
{
    uint64_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return x < y ? -1 : x > y;
}

/* Cuts the wanted page out of all numbers. */
static bool choose_page(listing *l, buf *all)
{
    size_t n = all->len / sizeof(uint64_t);
    size_t from = (uint64_t)l->offset < n ? (size_t)l->offset : n;
    l->total = (int64_t)n;
    l->n_wanted = n - from < (size_t)l->limit ? n - from : (size_t)l->limit;
    if (n > 1)
        qsort(all->data, n, sizeof(uint64_t), by_number);
    l->wanted = mem_alloc(l->n_wanted * sizeof *l->wanted + 1);
    if (l->wanted && l->n_wanted)
        memcpy(l->wanted, all->data + from * sizeof *l->wanted, l->n_wanted * sizeof *l->wanted);
    return l->wanted != NULL;
}

static void collected(survey *s, conn *asker)
{
    listing *l = s->arg;
    buf all = BUF_INIT;
    for (int i = 0; i < s->n_parts; i++) {
        numbers_part *part = survey_part(s, i);
        all.failed = all.failed || part->numbers.failed;
        buf_add(&all, part->numbers.data, part->numbers.len);
        buf_free(&part->numbers);
    }
    bool good = !all.failed && choose_page(l, &all);
    buf_free(&all);
    if (good && waiting_request(asker)) {
        survey_again(s, &second_round);
        return;
    }
    if (!good)
        reply_no_memory(asker);
    listing_free(l);
}

static const survey_kind first_round = {sizeof(numbers_part), look_for_numbers, collected};

/* ---- asking ------------------------------------------------------------------------------------
 */

void listing_reply(request *q, const listing_kind *kind, void *filter, int64_t offset,
                   int64_t limit)
{
    listing *l = xalloc(sizeof *l);
    l->kind = kind;
    l->filter = filter;
    l->offset = offset;
    l->limit = limit;
    survey_start(q->c, &first_round, l);
}

void listing_reply_one(request *q, const listing_kind *kind, uint64_t number, const char *id)
{
    listing *l = xalloc(sizeof *l);
    l->kind = kind;
    l->wanted = xalloc(sizeof *l->wanted);
    l->wanted[0] = number;
    l->n_wanted = 1;
    snprintf(l->id, sizeof l->id, "%s", id);
    survey_start(q->c, &second_round, l);
}
