/* A listener for tests of live queries: keeps, per subscription, the result as a client that
 * applies every message has it, and checks on the way that the messages fit each other. Everything
 * static: a test includes it once. */
#ifndef TESTS_LIVE_LISTENER_H
#define TESTS_LIVE_LISTENER_H

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "live/queries.h"

enum { VIEWERS = 256, VIEW_WAIT_US = 120 * 1000000 };

/* What one subscription has been told. */
typedef struct view {
    bool subscribed, refused, live, ended;
    bool left;       /* it unsubscribed: what was posted before may still come */
    bool restarting; /* asked for it, and not yet answered */
    uint64_t stream;
    int form;
    char hash[LIVE_HASH + 1];
    error err;
    json_t *rows; /* an array of rows; NULL before the first result */
    json_t *columns;
    json_t *last; /* the last message */
    int64_t lsn;
    size_t unread; /* bytes that were not acknowledged */
    int results, diffs;
    int added, changed, removed; /* rows, in all diffs */
    int64_t came_us;             /* when the last message came */
    int64_t least_us;            /* least time between two */
} view;

typedef struct watcher {
    queries *q;
    mailbox box;
    int id;
    bool no_acks;
    view views[VIEWERS];
} watcher;

/* Two forms that a reader can tell apart: a line per message. */
static void render_payload(buf *out, int form, const feed_event *ev)
{
    buf_addc(out, form ? '*' : ' ');
    buf_add(out, ev->json, ev->len);
    buf_addc(out, '\n');
}

static const feed_form payload_forms[] = {{true, render_payload}, {true, render_payload}};

static void watcher_start(watcher *w, queries *q)
{
    memset(w, 0, sizeof *w);
    w->q = q;
    mailbox_init(&w->box, NULL, NULL);
    w->id = 3;
    queries_add_listener(q, w->id, &w->box);
}

/* ---- applying ---------------------------------------------------------------------------------
 */

static int64_t view_int(json_t *o, const char *key)
{
    json_t *v = json_object_get(o, key);
    if (!json_is_integer(v))
        fail_msg("no number \"%s\" in %s", key, json_dumps(o, JSON_COMPACT));
    return json_integer_value(v);
}

static void view_check_removed(const view *v, json_t *result_key, json_t *item)
{
    json_t *row = json_array_get(v->rows, (size_t)view_int(item, "was"));
    json_t *key = json_object_get(item, "key"), *whole = json_object_get(item, "row");
    size_t i;
    json_t *at;
    assert_non_null(row);
    assert_true(!key != !whole);
    assert_true(!whole || json_equal(whole, row));
    json_array_foreach(key ? result_key : NULL, i, at)
    {
        assert_true(json_equal(json_array_get(key, i),
                               json_array_get(row, (size_t)json_integer_value(at))));
    }
}

/* Takes out the rows with a `was`; returns what is left. */
static json_t *view_take_out(view *v, json_t *removed, json_t *changed, json_t *key)
{
    size_t i, n = json_array_size(v->rows);
    char *out = calloc(n + 1, 1);
    json_t *item, *row, *rest = json_array();
    json_array_foreach(removed, i, item)
    {
        view_check_removed(v, key, item);
        out[view_int(item, "was")]++;
    }
    json_array_foreach(changed, i, item)
    {
        assert_true((size_t)view_int(item, "was") < n);
        out[view_int(item, "was")]++;
    }
    json_array_foreach(v->rows, i, row)
    {
        assert_true(out[i] <= 1); /* told once */
        if (!out[i])
            json_array_append(rest, row);
    }
    free(out);
    return rest;
}

static void view_put_in(json_t *rows, json_t *changed, json_t *added)
{
    size_t c = 0, a = 0;
    int64_t last = -1;
    while (c < json_array_size(changed) || a < json_array_size(added)) {
        json_t *one = json_array_get(changed, c), *other = json_array_get(added, a);
        bool first = one && (!other || view_int(one, "at") < view_int(other, "at"));
        json_t *item = first ? json_array_get(changed, c++) : json_array_get(added, a++);
        int64_t at = view_int(item, "at");
        assert_true(at > last);
        last = at;
        assert_int_equal(json_array_insert(rows, (size_t)at, json_object_get(item, "row")), 0);
    }
}

static json_t *view_key;
static void (*view_applied)(const view *v); /* told of every message, where it is set */

static void view_apply_diff(view *v, json_t *m)
{
    json_t *removed = json_object_get(m, "removed"), *changed = json_object_get(m, "changed"),
           *added = json_object_get(m, "added");
    assert_non_null(v->rows);
    if (view_int(m, "since") != v->lsn)
        fail_msg("a difference to %" PRId64 " came when %" PRId64 " was known",
                 view_int(m, "since"), v->lsn);
    json_t *rows = view_take_out(v, removed, changed, view_key);
    view_put_in(rows, changed, added);
    assert_int_equal(json_array_size(rows), view_int(m, "count"));
    json_decref(v->rows);
    v->rows = rows;
    v->diffs++;
    v->added += (int)json_array_size(added);
    v->changed += (int)json_array_size(changed);
    v->removed += (int)json_array_size(removed);
}

static void view_apply(view *v, json_t *m)
{
    char topic[32];
    int64_t now = clock_mono_us();
    snprintf(topic, sizeof topic, "query:%s", v->hash);
    assert_string_equal(json_string_value(json_object_get(m, "topic")), topic);
    if (strcmp(json_string_value(json_object_get(m, "kind")), "result") == 0) {
        json_decref(v->rows);
        json_decref(v->columns);
        v->rows = json_deep_copy(json_object_get(m, "rows"));
        v->columns = json_incref(json_object_get(m, "columns"));
        v->results++;
    } else {
        view_apply_diff(v, m);
    }
    if (v->came_us && (!v->least_us || now - v->came_us < v->least_us))
        v->least_us = now - v->came_us;
    v->came_us = now;
    v->lsn = view_int(m, "lsn");
    json_decref(v->last);
    v->last = json_incref(m);
    if (view_applied)
        view_applied(v);
}

static void view_hear(view *v, const refbuf *frames)
{
    json_error_t e;
    assert_false(v->ended);
    assert_int_equal(frames->data[0], v->form ? '*' : ' ');
    json_t *m = json_loadb(frames->data + 1, frames->len - 1, 0, &e);
    assert_non_null(m);
    view_key = json_object_get(m, "key");
    if (!view_key && v->last)
        view_key = json_object_get(v->last, "key"); /* kept below */
    json_t *key = json_incref(view_key);
    view_apply(v, m);
    if (!json_object_get(m, "key"))
        json_object_set(m, "key", key);
    json_decref(key);
    json_decref(m);
}

/* ---- listening --------------------------------------------------------------------------------
 */

static void watcher_take(watcher *w, feed_msg *m)
{
    assert_int_equal(m->tag, FEED_TAG);
    view *v = m->kind == FEED_FRAMES ? NULL : &w->views[m->sub];
    if (v && v->left) {
        feed_msg_free(m);
        return;
    }
    switch (m->kind) {
    case FEED_SUBSCRIBED:
        assert_true(!v->subscribed || v->restarting);
        v->restarting = false;
        assert_true(m->stream & LIVE_STREAM);
        v->subscribed = true;
        v->stream = m->stream;
        assert_true(m->log_id[0]);
        break;
    case FEED_REFUSED:
        assert_false(v->subscribed);
        v->refused = true;
        v->err = m->err;
        break;
    case FEED_REPLAY:
        assert_true(v->subscribed && !v->live);
        view_hear(v, m->frames);
        if (w->no_acks)
            v->unread += m->frames->len;
        else
            queries_ack(w->q, w->id, m->sub, m->frames->len);
        break;
    case FEED_LIVE:
        assert_true(v->subscribed && !v->live);
        assert_int_equal(m->stream, v->stream);
        v->live = true;
        break;
    case FEED_ENDED:
        v->ended = true;
        v->live = false;
        v->err = m->err;
        break;
    case FEED_FRAMES:
        for (int i = 0; i < VIEWERS; i++) {
            if (w->views[i].live && w->views[i].stream == m->stream)
                view_hear(&w->views[i], m->frames);
        }
        break;
    }
    feed_msg_free(m);
}

static void watcher_pump(watcher *w, int64_t wait_us)
{
    list got, *item;
    list_init(&got);
    mailbox_wait(&w->box, &got, wait_us);
    while ((item = list_pop(&got)))
        watcher_take(w, list_entry(item, feed_msg, link));
}

#define watcher_until(w, what)                                                                     \
    do {                                                                                           \
        int64_t give_up = clock_mono_us() + VIEW_WAIT_US;                                          \
        while (!(what)) {                                                                          \
            watcher_pump(w, 50000);                                                                \
            if (clock_mono_us() > give_up)                                                         \
                fail_msg("waited in vain for %s", #what);                                          \
        }                                                                                          \
    } while (0)

/* After queries_stop. */
static void watcher_end(watcher *w)
{
    w->no_acks = true;
    watcher_pump(w, 0);
    mailbox_destroy(&w->box);
    for (int i = 0; i < VIEWERS; i++) {
        json_decref(w->views[i].rows);
        json_decref(w->views[i].columns);
        json_decref(w->views[i].last);
    }
}

static void watcher_ask(watcher *w, uint64_t number, const engine_stmt *stmt, int form,
                        int64_t interval_us)
{
    query_request r = {
        .listener = w->id,
        .sub = number,
        .form = form,
        .stmt = stmt,
        .min_interval_us = interval_us,
    };
    w->views[number].form = form;
    assert_true(queries_hash(stmt, NULL, w->views[number].hash));
    assert_true(queries_subscribe(w->q, &r));
}

static void watcher_subscribe(watcher *w, uint64_t number, const char *sql)
{
    watcher_ask(w, number, &(engine_stmt){.sql = sql}, 0, 0);
}

/* ---- comparing --------------------------------------------------------------------------------
 */

/* Rows as lines of JSON (fx_sql) in the spelling of the view. */
static json_t *rows_of(const char *lines)
{
    json_error_t e;
    json_t *rows = json_array();
    while (*lines) {
        size_t n = strcspn(lines, "\n");
        json_t *row = json_loadb(lines, n, 0, &e);
        if (!row)
            fail_msg("not a row: %s", lines);
        json_array_append_new(rows, row);
        lines += n + (lines[n] == '\n');
    }
    return rows;
}

static bool view_is(const view *v, const char *lines)
{
    json_t *rows = rows_of(lines);
    bool same = v->rows && json_equal(rows, v->rows);
    json_decref(rows);
    return same;
}

#endif
