#include "auth/role_masks.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/sqlname.h"
#include "json/read.h"

enum { KEEP_MAX = 64 }; /* characters that a partial mask leaves */

/* What a mask is made of. */
typedef struct mask_source {
    const char *column, *kind, *sql;
    int64_t keep;
} mask_source;

static bool write_mask(const mask_source *m, buf *out, const char *what, error *e)
{
    if (strcmp(m->kind, "null") == 0) {
        buf_adds(out, "NULL");
    } else if (strcmp(m->kind, "hash") == 0) {
        buf_adds(out, "mask_hash(");
        sqlname_add(out, m->column);
        buf_adds(out, ")");
    } else if (strcmp(m->kind, "partial") == 0) {
        buf_adds(out, "mask_partial(");
        sqlname_add(out, m->column);
        buf_addf(out, ", %" PRId64 ")", m->keep);
    } else if (strcmp(m->kind, "expression") == 0) {
        if (!m->sql)
            return error_set(e, ERR_INVALID_MESSAGE, "%s is an expression and has no \"sql\"",
                             what);
        buf_adds(out, m->sql);
        return role_check_expression(m->sql, what, e);
    } else {
        error_set(e, ERR_INVALID_MESSAGE, "%s: there is no kind of mask \"%.40s\"", what, m->kind);
        return error_hint(e, "known: null, hash, partial, expression");
    }
    return true;
}

static bool read_mask(auth_document *d, json_t *from, const char *where, const char *column,
                      access_mask *to, error *e)
{
    char what[400];
    mask_source m = {.column = column, .keep = -1};
    const json_field fields[] = {
        {"kind", FIELD_STR, true, &m.kind},
        {"keep", FIELD_INT, false, &m.keep, 0, KEEP_MAX},
        {"sql", FIELD_STR, false, &m.sql},
    };
    snprintf(what, sizeof what, "%s.masks.%s", where, column);
    if (!auth_check_length(column, "the name of a masked column", false, ROLE_IDENTIFIER_MAX, e) ||
        !json_read_object_at(from, what, fields, JSON_FIELDS(fields), e))
        return false;
    if ((m.keep >= 0) != (strcmp(m.kind, "partial") == 0))
        return error_set(e, ERR_INVALID_MESSAGE, "%s: \"keep\" goes with the kind \"partial\"",
                         what);
    if (m.sql && strcmp(m.kind, "expression") != 0)
        return error_set(e, ERR_INVALID_MESSAGE, "%s: \"sql\" goes with the kind \"expression\"",
                         what);
    buf out = BUF_INIT;
    bool ok = write_mask(&m, &out, what, e) && auth_keep_text(d, column, &to->column, e) &&
              auth_keep_text(d, buf_cstr(&out), &to->sql, e);
    if (ok && out.failed)
        ok = error_set(e, ERR_INTERNAL_ERROR, "out of memory");
    buf_free(&out);
    return ok;
}

bool role_read_masks(auth_document *d, json_t *masks, const char *where, access_grant *to, error *e)
{
    size_t n = json_object_size(masks);
    const char *column;
    json_t *one;
    if (n > ROLE_COLUMNS_MAX)
        return error_set(e, ERR_INVALID_MESSAGE, "%s.masks may have %d members, not %zu", where,
                         ROLE_COLUMNS_MAX, n);
    access_mask *kept = arena_alloc(&d->mem, (n + 1) * sizeof *kept);
    if (!kept)
        return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
    to->masks = kept;
    json_object_foreach(masks, column, one)
    {
        if (!read_mask(d, one, where, column, &kept[to->n_masks], e))
            return false;
        to->n_masks++;
    }
    return true;
}
