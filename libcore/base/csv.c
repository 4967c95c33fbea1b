#include "base/csv.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"

/* ---- errors -----------------------------------------------------------------------------------
 */

static csv_result fail_at(csv_reader *c, error_code code, int64_t line, const char *what)
{
    c->failed = true;
    error_set(&c->why, code, "%s, at line %" PRId64, what, line);
    c->why.position = c->offset;
    return CSV_ERROR;
}

static csv_result refuse(csv_reader *c, const char *what)
{
    return fail_at(c, ERR_INVALID_MESSAGE, c->line, what);
}

static csv_result no_memory(csv_reader *c)
{
    return fail_at(c, ERR_INTERNAL_ERROR, c->line, "out of memory");
}

static csv_result too_big(csv_reader *c)
{
    char what[80];
    snprintf(what, sizeof what, "a record is larger than %zu bytes", c->max_record);
    return fail_at(c, ERR_MESSAGE_TOO_BIG, c->record_line, what);
}

/* ---- fields -----------------------------------------------------------------------------------
 */

static bool grow(csv_reader *c)
{
    int room = c->room ? c->room * 2 : 16;
    csv_field *fields = mem_realloc(c->fields, (size_t)room * sizeof *fields);
    if (!fields)
        return false;
    c->fields = fields;
    c->room = room;
    return true;
}

static csv_result begin_field(csv_reader *c, bool quoted)
{
    if (c->n_fields == CSV_MAX_FIELDS)
        return refuse(c, "a record has more than 4096 fields");
    if (c->n_fields == c->room && !grow(c))
        return no_memory(c);
    c->fields[c->n_fields++] = (csv_field){.at = c->text.len, .quoted = quoted};
    return CSV_MORE;
}

static void end_field(csv_reader *c)
{
    csv_field *f = &c->fields[c->n_fields - 1];
    f->len = c->text.len - f->at;
}

static csv_result add(csv_reader *c, const char *p, size_t n)
{
    if (c->text.len + n > c->max_record)
        return too_big(c);
    buf_add(&c->text, p, n);
    return c->text.failed ? no_memory(c) : CSV_MORE;
}

/* ---- records ----------------------------------------------------------------------------------
 */

static void begin_record(csv_reader *c)
{
    buf_clear(&c->text);
    c->n_fields = 0;
    c->record_line = c->line;
    c->records++;
}

static csv_result check_fields(csv_reader *c)
{
    for (int i = 0; i < c->n_fields; i++) {
        csv_field *f = &c->fields[i];
        f->p = c->text.data ? c->text.data + f->at : "";
        if (utf8_valid(f->p, f->len) != f->len) {
            char what[80];
            snprintf(what, sizeof what, "field %d is not valid UTF-8", i + 1);
            return fail_at(c, ERR_INVALID_MESSAGE, c->record_line, what);
        }
    }
    return CSV_RECORD;
}

static csv_result end_record(csv_reader *c)
{
    end_field(c);
    c->state = CSV_RECORD_START;
    if (c->columns == 0)
        c->columns = c->n_fields;
    if (c->n_fields != c->columns) {
        char what[100];
        snprintf(what, sizeof what, "a record has %d field%s where the header has %d", c->n_fields,
                 c->n_fields == 1 ? "" : "s", c->columns);
        return fail_at(c, ERR_INVALID_MESSAGE, c->record_line, what);
    }
    return check_fields(c);
}

/* ---- bytes ------------------------------------------------------------------------------------
 */

/* The byte that `p` points to was used; the line it ends is counted. */
static void advance(csv_reader *c)
{
    c->line += *c->in == '\n';
    c->offset++;
    c->in++;
}

/* A run of bytes that are the field's own, up to one that may not be. */
static csv_result take_run(csv_reader *c)
{
    const char *start = c->in;
    bool quoted = c->state == CSV_QUOTED;
    for (; c->in < c->in_end; c->in++) {
        char b = *c->in;
        if (b == '"' || (!quoted && (b == c->separator || b == '\n' || b == '\r')))
            break;
        c->line += b == '\n';
    }
    c->offset += c->in - start;
    return add(c, start, (size_t)(c->in - start));
}

/* A field that ends here: at a separator, a line end, or the '\r' before one. */
static csv_result after_field(csv_reader *c, char b)
{
    if (b == c->separator) {
        end_field(c);
        advance(c);
        c->state = CSV_FIELD_START;
        return CSV_MORE;
    }
    if (b == '\r') {
        advance(c);
        c->state = CSV_CR;
        return CSV_MORE;
    }
    csv_result r = end_record(c);
    if (r == CSV_RECORD)
        advance(c);
    return r;
}

static bool ends_field(const csv_reader *c, char b)
{
    return b == c->separator || b == '\n' || b == '\r';
}

static csv_result at_field_start(csv_reader *c, char b)
{
    csv_result r = begin_field(c, b == '"');
    if (r != CSV_MORE)
        return r;
    if (b == '"')
        advance(c);
    c->state = b == '"' ? CSV_QUOTED : CSV_PLAIN;
    return CSV_MORE;
}

static csv_result at_record_start(csv_reader *c, char b)
{
    if (b == '\n' || b == '\r') {
        c->state = b == '\r' ? CSV_BLANK : CSV_RECORD_START;
        advance(c);
        return CSV_MORE;
    }
    begin_record(c);
    return at_field_start(c, b);
}

/* One byte, or a run of them; CSV_RECORD when it completed one. */
static csv_result step(csv_reader *c)
{
    char b = *c->in;
    switch (c->state) {
    case CSV_RECORD_START:
        return at_record_start(c, b);
    case CSV_FIELD_START:
        return at_field_start(c, b);
    case CSV_PLAIN:
        if (b == '"')
            return refuse(c, "a quote stands inside a field that does not begin with one");
        return ends_field(c, b) ? after_field(c, b) : take_run(c);
    case CSV_QUOTED:
        if (b != '"')
            return take_run(c);
        advance(c);
        c->state = CSV_QUOTE;
        return CSV_MORE;
    case CSV_QUOTE:
        if (ends_field(c, b))
            return after_field(c, b);
        if (b != '"')
            return refuse(c, "something stands between a closing quote and the next separator");
        advance(c);
        c->state = CSV_QUOTED;
        return add(c, "\"", 1);
    case CSV_CR:
    case CSV_BLANK:
        if (b != '\n')
            return refuse(c, "a carriage return stands outside of quotes and before no line end");
        return c->state == CSV_CR ? after_field(c, b) : at_record_start(c, b);
    }
    return CSV_MORE;
}

/* Passes over a byte order mark. What only begins like one belongs to the first field. */
static csv_result skip_bom(csv_reader *c)
{
    static const char mark[3] = "\xEF\xBB\xBF";
    while (c->offset == c->bom && c->bom < 3 && c->in < c->in_end && *c->in == mark[c->bom]) {
        c->bom++;
        advance(c);
    }
    if (c->bom <= 0 || c->bom == 3 || (c->in == c->in_end && !c->finished))
        return CSV_MORE;
    size_t seen = (size_t)c->bom;
    c->bom = -1;
    begin_record(c);
    c->state = CSV_PLAIN;
    csv_result r = begin_field(c, false);
    return r == CSV_MORE ? add(c, mark, seen) : r;
}

static csv_result at_end(csv_reader *c)
{
    switch (c->state) {
    case CSV_RECORD_START:
    case CSV_BLANK:
        return CSV_END;
    case CSV_QUOTED:
        return fail_at(c, ERR_INVALID_MESSAGE, c->record_line,
                       "a quote is not closed in the record that begins");
    case CSV_FIELD_START:
        if (begin_field(c, false) != CSV_MORE)
            return CSV_ERROR;
        return end_record(c);
    default:
        return end_record(c);
    }
}

/* ---- the interface ----------------------------------------------------------------------------
 */

void csv_init(csv_reader *c, char separator, size_t max_record)
{
    *c = (csv_reader){.separator = separator, .max_record = max_record, .line = 1, .in = ""};
    c->in_end = c->in;
}

void csv_free(csv_reader *c)
{
    mem_free(c->fields);
    c->fields = NULL;
    buf_free(&c->text);
}

void csv_feed(csv_reader *c, const char *p, size_t n)
{
    c->in = p;
    c->in_end = p + n;
}

void csv_finish(csv_reader *c)
{
    c->finished = true;
}

csv_result csv_next(csv_reader *c, error *e)
{
    csv_result r = CSV_MORE;
    if (!c->failed)
        r = skip_bom(c);
    while (!c->failed && r == CSV_MORE && c->in < c->in_end)
        r = step(c);
    if (!c->failed && r == CSV_MORE && c->finished)
        r = at_end(c);
    if (!c->failed)
        return r;
    if (e)
        *e = c->why;
    return CSV_ERROR;
}
