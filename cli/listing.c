#include "cli/listing.h"

#include <string.h>

#include "cli/scan.h"
#include "json/writer.h"

enum { PAGE = 1000 };

static bool not_understood(error *e)
{
    return error_set(e, ERR_CLIENT_ERROR, "the daemon's answer is not understood");
}

void listing_param(buf *query, const char *name, const char *value)
{
    if (!value)
        return;
    if (query->len)
        buf_addc(query, '&');
    buf_adds(query, name);
    buf_addc(query, '=');
    rest_escape(query, value);
}

/* ---- rows --------------------------------------------------------------------------------------
 */

/* Only once there is an answer, so that an error does not stand behind a heading. */
static void begin_rows(listing *l)
{
    if (l->begun)
        return;
    l->begun = true;
    buf text = BUF_INIT;
    json_writer w;
    jw_init(&w, &text);
    jw_begin_array(&w);
    for (const char *const *name = l->columns; *name; name++) {
        jw_begin_object(&w);
        jw_key(&w, "name");
        jw_str(&w, *name);
        jw_end_object(&w);
    }
    jw_end_array(&w);
    format_begin(l->format, scan_value(text.data, text.len));
    buf_free(&text);
}

void listing_open(listing *l, const listing_kind *kind, client *c, const char *on_terminal)
{
    const char *asked = c->common->format;
    const char *name = asked ? asked : c->out.terminal ? on_terminal : "csv";
    *l = (listing){.kind = kind, .c = c};
    l->columns = strcmp(name, "table") == 0 ? kind->brief : kind->columns;
    l->format = format_new(
        name, &(format_options){.color = c->out.color, .utf8 = c->out.utf8, .header = true},
        &c->out.text);
}

bool listing_row(listing *l, scan_text thing, error *e)
{
    buf text = BUF_INIT;
    json_writer w;
    scan_text value;
    begin_rows(l);
    jw_init(&w, &text);
    jw_begin_array(&w);
    for (const char *const *name = l->columns; *name; name++) {
        if (scan_member(thing, *name, &value))
            jw_raw(&w, value.p, value.n);
        else
            jw_null(&w);
    }
    jw_end_array(&w);
    bool good = scan_kind_of(thing) == SCAN_OBJECT && !text.failed &&
                format_row(l->format, scan_value(text.data, text.len));
    buf_free(&text);
    return good || not_understood(e);
}

void listing_close(listing *l, bool complete)
{
    if (complete) {
        begin_rows(l);
        format_end(l->format);
    } else if (l->begun) {
        format_show(l->format);
    }
    format_free(l->format);
}

/* ---- fetching ----------------------------------------------------------------------------------
 */

static bool get(listing *l, const char *path, buf *answer, scan_text *object, error *e)
{
    buf_clear(answer);
    if (!rest_send(
            l->c->rest,
            &(rest_request){.method = "GET", .path = path, .timeout_ms = l->c->common->timeout_ms},
            answer, e))
        return false;
    *object = scan_value(answer->data ? answer->data : "", answer->len);
    return scan_kind_of(*object) == SCAN_OBJECT || not_understood(e);
}

/* What a thing is known by: a text, or a number. */
static bool put_key(buf *out, scan_text id)
{
    if (scan_kind_of(id) != SCAN_NUMBER)
        return scan_unquote(out, id);
    buf_add(out, id.p, id.n);
    return true;
}

/* Shows a page; `after` becomes the id of its last thing, *n how many there were. */
static bool show_page(listing *l, scan_text page, buf *after, int64_t *n, error *e)
{
    scan_text things, thing, id;
    scan_items it;
    *n = 0;
    if (!scan_member(page, l->kind->name, &things) || !scan_enter(&it, things))
        return not_understood(e);
    while (scan_next(&it, NULL, &thing)) {
        buf_clear(after);
        if (!scan_member(thing, l->kind->key, &id) || !put_key(after, id))
            return not_understood(e);
        if (!listing_row(l, thing, e))
            return false;
        ++*n;
    }
    return !it.failed || not_understood(e);
}

static bool next_page(listing *l, const char *filter, buf *after, int64_t shown, int64_t wanted,
                      int64_t *n, error *e)
{
    buf path = BUF_INIT, query = BUF_INIT, answer = BUF_INIT;
    scan_text page;
    buf_adds(&query, filter);
    if (!l->kind->by_offset)
        listing_param(&query, "after", after->len ? buf_cstr(after) : NULL);
    else if (shown)
        buf_addf(&query, "%soffset=%lld", query.len ? "&" : "", (long long)shown);
    buf_addf(&path, "%s?limit=%lld%s%s", l->kind->path, (long long)wanted, query.len ? "&" : "",
             buf_cstr(&query));
    bool good = get(l, buf_cstr(&path), &answer, &page, e) && show_page(l, page, after, n, e);
    buf_free(&path);
    buf_free(&query);
    buf_free(&answer);
    return good;
}

bool listing_pages(listing *l, const char *filter, int64_t limit, error *e)
{
    buf after = BUF_INIT;
    int64_t shown = 0, wanted, n;
    bool good;
    do {
        wanted = limit && limit - shown < PAGE ? limit - shown : PAGE;
        good = next_page(l, filter, &after, shown, wanted, &n, e) && output_flush(&l->c->out);
        shown += n;
    } while (good && n == wanted && (!limit || shown < limit));
    buf_free(&after);
    return good;
}

bool listing_one(listing *l, const char *id, error *e)
{
    buf path = BUF_INIT, answer = BUF_INIT;
    scan_text thing;
    buf_addf(&path, "%s/", l->kind->path);
    rest_escape(&path, id);
    bool good = get(l, buf_cstr(&path), &answer, &thing, e) && listing_row(l, thing, e);
    buf_free(&path);
    buf_free(&answer);
    return good;
}

/* ---- whole commands ----------------------------------------------------------------------------
 */

static int finish(listing *l, bool good, const error *e)
{
    client *c = l->c;
    listing_close(l, good);
    good = output_flush(&c->out) && good;
    return good ? 0 : client_fail(c, e);
}

int listing_list(client *c, const listing_kind *kind, const char *filter, int64_t limit)
{
    listing l;
    error e;
    listing_open(&l, kind, c, "table");
    return finish(&l, listing_pages(&l, filter, limit, &e), &e);
}

int listing_show(client *c, const listing_kind *kind, char **ids)
{
    listing l;
    error e;
    bool good = true;
    listing_open(&l, kind, c, "line");
    while (good && *ids)
        good = listing_one(&l, *ids++, &e);
    return finish(&l, good, &e);
}

/* ---- ending ------------------------------------------------------------------------------------
 */

static bool end_one(client *c, const char *list, const char *query, const char *id, buf *answer,
                    error *e)
{
    buf path = BUF_INIT;
    buf_addf(&path, "%s/", list);
    rest_escape(&path, id);
    buf_addf(&path, "%s%s", *query ? "?" : "", query);
    bool good = rest_send(c->rest,
                          &(rest_request){.method = "DELETE",
                                          .path = buf_cstr(&path),
                                          .timeout_ms = c->common->timeout_ms},
                          answer, e);
    buf_free(&path);
    return good;
}

int listing_remove(client *c, const listing_kind *shown, const char *query, char **ids,
                   void (*say)(buf *out, scan_text answer))
{
    bool rows = c->common->format != NULL;
    int status = 0;
    buf answer = BUF_INIT;
    listing l;
    error e;
    if (rows)
        listing_open(&l, shown, c, "table");
    for (; *ids; ids++) {
        buf_clear(&answer);
        bool good = end_one(c, shown->path, query, *ids, &answer, &e);
        scan_text object = scan_value(answer.data ? answer.data : "", answer.len);
        if (good && rows)
            good = listing_row(&l, object, &e);
        else if (good && !c->common->quiet)
            say(&c->out.text, object);
        if (!good)
            status = client_fail(c, &e);
    }
    if (rows)
        listing_close(&l, true);
    buf_free(&answer);
    return output_flush(&c->out) ? status : EXIT_OUTPUT_FAILED;
}
