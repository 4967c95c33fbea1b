#include "feed/sight.h"

#include <string.h>

#include "base/mem.h"

enum { MAX_LENSES = 4 }; /* shapes of a table that a sight can see at once */

struct sight {
    const viewer *as; /* held */
    sight_kind kind;
    lens *lenses[MAX_LENSES];
    int n;
    log_record shown;
};

sight *sight_new(const viewer *as, const char *table)
{
    sight *s = mem_zalloc(sizeof *s);
    if (!s)
        return NULL;
    s->as = viewer_hold(as);
    s->kind = viewer_sees(as, table);
    return s;
}

void sight_forget(sight *s)
{
    while (s->n)
        engine_lens_free(s->lenses[--s->n]);
}

void sight_free(sight *s)
{
    if (!s)
        return;
    sight_forget(s);
    viewer_release(s->as);
    mem_free(s);
}

static lens *find(const sight *s, const table_shape *shape)
{
    for (int i = 0; i < s->n; i++) {
        if (engine_lens_source(s->lenses[i])->id == shape->id)
            return s->lenses[i];
    }
    return NULL;
}

bool sight_is_full(const sight *s, const table_shape *shape)
{
    return s->n == MAX_LENSES && !find(s, shape);
}

static lens *lens_for(sight *s, log_reader *r, const table_shape *shape, error *e)
{
    lens *l = find(s, shape);
    if (!l && s->n < MAX_LENSES) {
        l = engine_lens_open(r, s->as, shape, e);
        if (l)
            s->lenses[s->n++] = l;
    }
    return l;
}

const table_shape *sight_shape(sight *s, log_reader *r, const table_shape *shape, error *e)
{
    if (s->kind == SIGHT_PLAIN)
        return shape;
    const lens *l = lens_for(s, r, shape, e);
    return l ? engine_lens_shape(l) : NULL;
}

/* A table got a name that the viewer is not to know. */
static bool hides_name(const sight *s, const log_record *rec)
{
    return rec->kind == LOG_DDL && rec->other && viewer_sees(s->as, rec->other) == SIGHT_NONE;
}

static void see_ddl(sight *s, const log_record *rec)
{
    s->shown = *rec;
    s->shown.text = NULL;
    if (hides_name(s, rec))
        s->shown.other = NULL;
}

lens_result sight_see(sight *s, log_reader *r, const log_record *rec, const log_record **seen,
                      error *e)
{
    *seen = rec;
    if (s->kind == SIGHT_NONE)
        return LENS_HIDDEN;
    if (s->kind == SIGHT_PLAIN && !hides_name(s, rec))
        return LENS_SHOWN;
    *seen = &s->shown;
    if (rec->kind == LOG_DDL) {
        see_ddl(s, rec);
        return LENS_SHOWN;
    }
    lens *l = lens_for(s, r, rec->shape, e);
    if (!l)
        return e->code == ERR_INTERNAL_ERROR ? LENS_NO_MEMORY : LENS_FAILED;
    return engine_lens_apply(l, rec, &s->shown, e);
}
