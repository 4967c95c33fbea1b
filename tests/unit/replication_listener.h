/* A listener for tests of replication: takes its messages in order and keeps, per consumer, what it
 * got in short form, a line each:
 *
 *   B4       begin, lsn 4 ("B4+" when the transaction is continued)
 *   4 insert t, 5 ddl table_created t
 *   C5       commit
 *
 * and checks on the way that begins, changes and commits nest, and that lsn and tx grow. Everything
 * static: a test includes it once. */
#ifndef TESTS_REPLICATION_LISTENER_H
#define TESTS_REPLICATION_LISTENER_H

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "feed/replication.h"

enum { LISTENER_SUBS = 64, LISTENER_WAIT_US = 60 * 1000000 };

typedef struct heard {
    bool subscribed, refused, ended;
    int64_t lsn; /* of FEED_SUBSCRIBED */
    char log_id[40];
    error err;
    buf text;           /* in short form */
    buf json;           /* as it came, a line each */
    int events, frames; /* as counted by the messages; lines */
    int64_t last;       /* highest lsn */
    int64_t tx;         /* open transaction, 0: none */
    int64_t last_tx;
    size_t unacked;
} heard;

typedef struct listener {
    replication *r;
    mailbox box;
    int id;
    bool no_acks;
    bool confirms; /* everything, as it comes */
    heard subs[LISTENER_SUBS];
} listener;

/* The wire format of these tests: a line per payload, led by its form. */
static void render_line(buf *out, int form, const char *json, size_t n)
{
    buf_addf(out, "%d", form);
    buf_add(out, json, n);
    buf_addc(out, '\n');
}

static void listener_start(listener *l, replication *r)
{
    memset(l, 0, sizeof *l);
    l->r = r;
    mailbox_init(&l->box, NULL, NULL);
    l->id = 3; /* as any feed might have it */
    replication_add_listener(r, l->id, &l->box);
}

static void hear_payload(heard *h, json_t *p)
{
    const char *kind = json_string_value(json_object_get(p, "kind"));
    int64_t lsn = json_integer_value(json_object_get(p, "lsn"));
    int64_t tx = json_integer_value(json_object_get(p, "tx"));
    assert_string_equal(json_string_value(json_object_get(p, "topic")), "replication");
    assert_true(tx > 0);
    if (strcmp(kind, "begin") == 0) {
        assert_int_equal(h->tx, 0);
        assert_true(lsn > h->last && tx > h->last_tx);
        h->tx = h->last_tx = tx;
        buf_addf(&h->text, "B%" PRId64 "%s\n", lsn, json_object_get(p, "continued") ? "+" : "");
        return;
    }
    assert_int_equal(h->tx, tx);
    if (strcmp(kind, "commit") == 0) {
        assert_true(lsn >= h->last);
        assert_non_null(json_object_get(p, "committed_at"));
        h->tx = 0;
        buf_addf(&h->text, "C%" PRId64 "\n", lsn);
    } else {
        assert_true(lsn > h->last);
        const char *op = json_string_value(json_object_get(p, "op"));
        buf_addf(&h->text, "%" PRId64 " %s%s %s\n", lsn, op ? op : "ddl ",
                 op ? "" : json_string_value(json_object_get(p, "event")),
                 json_string_value(json_object_get(p, "table")));
    }
    h->last = lsn;
}

static void listener_hear(heard *h, const feed_msg *m)
{
    assert_true(h->subscribed && !h->ended);
    const char *at = m->frames->data, *end = at + m->frames->len;
    while (at < end) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        assert_non_null(line_end);
        json_error_t why;
        json_t *p = json_loadb(at + 1, (size_t)(line_end - at - 1), 0, &why);
        if (!p)
            fail_msg("%s in %.200s", why.text, at);
        hear_payload(h, p);
        json_decref(p);
        h->frames++;
        at = line_end + 1;
    }
    buf_add(&h->json, m->frames->data, m->frames->len);
    h->events += m->events;
    assert_int_equal(h->events, h->frames);
}

static void listener_take(listener *l, feed_msg *m)
{
    error e;
    assert_int_equal(m->tag, FEED_TAG);
    heard *h = &l->subs[m->sub];
    switch (m->kind) {
    case FEED_SUBSCRIBED:
        assert_false(h->subscribed);
        h->subscribed = true;
        h->lsn = h->last = m->lsn;
        memcpy(h->log_id, m->log_id, sizeof h->log_id);
        break;
    case FEED_REFUSED:
        h->refused = true;
        h->err = m->err;
        break;
    case FEED_REPLAY:
        listener_hear(h, m);
        h->unacked += m->frames->len;
        if (!l->no_acks) {
            replication_ack(l->r, l->id, m->sub, m->frames->len);
            h->unacked -= m->frames->len;
        }
        if (l->confirms)
            assert_true(replication_confirm(l->r, l->id, m->sub, m->lsn, &e));
        break;
    case FEED_ENDED:
        h->ended = true;
        h->err = m->err;
        break;
    default:
        fail_msg("a message of kind %d", m->kind);
    }
    feed_msg_free(m);
}

/* Takes what has come; waits for something when nothing has. */
static void listener_pump(listener *l, int64_t wait_us)
{
    list got, *item;
    list_init(&got);
    mailbox_wait(&l->box, &got, wait_us);
    while ((item = list_pop(&got)))
        listener_take(l, list_entry(item, feed_msg, link));
}

/* Takes messages until `what` holds; the test fails when that takes a minute. */
#define listener_until(l, what)                                                                    \
    do {                                                                                           \
        int64_t give_up = clock_mono_us() + LISTENER_WAIT_US;                                      \
        while (!(what)) {                                                                          \
            listener_pump(l, 10000);                                                               \
            if (clock_mono_us() > give_up)                                                         \
                fail_msg("waited in vain for %s", #what);                                          \
        }                                                                                          \
    } while (0)

/* After replication_stop. */
static void listener_end(listener *l)
{
    l->no_acks = true; /* the replication is gone */
    l->confirms = false;
    listener_pump(l, 0);
    mailbox_destroy(&l->box);
    for (int i = 0; i < LISTENER_SUBS; i++) {
        buf_free(&l->subs[i].text);
        buf_free(&l->subs[i].json);
    }
}

static void listener_ask(listener *l, uint64_t number, replication_request q)
{
    q.listener = l->id;
    q.sub = number;
    q.connection = "c1";
    q.user = "root";
    assert_true(replication_subscribe(l->r, &q));
}

/* Waits for the answer. */
static heard *listener_subscribe(listener *l, uint64_t number, replication_request q)
{
    heard *h = &l->subs[number];
    listener_ask(l, number, q);
    listener_until(l, h->subscribed || h->refused);
    return h;
}

/* ---- calls ------------------------------------------------------------------------------------
 */

typedef struct asked {
    replication_call call;
    atomic_bool done;
} asked;

static void on_answer(replication_call *c)
{
    atomic_store(&((asked *)(void *)c)->done, true);
}

static void ask_start(replication *r, asked *a, replication_call c)
{
    memset(a, 0, sizeof *a);
    a->call = c;
    a->call.done = on_answer;
    if (a->call.limit == 0)
        a->call.limit = 100;
    replication_ask(r, &a->call);
}

/* Waits for the answer; an object, or NULL when it failed (call->err). */
static json_t *ask_end(listener *l, asked *a)
{
    listener_until(l, atomic_load(&a->done));
    json_t *answer = NULL;
    if (!a->call.failed && a->call.json.len == 0)
        answer = json_object(); /* nothing to show */
    else if (!a->call.failed)
        answer = json_loadb(a->call.json.data, a->call.json.len, 0, NULL);
    assert_true(a->call.failed || answer);
    buf_free(&a->call.json);
    return answer;
}

static json_t *ask_op(listener *l, replication_op op, const char *name)
{
    asked a;
    ask_start(l->r, &a, (replication_call){.op = op, .name = name});
    return ask_end(l, &a);
}

/* The code of a call that must fail. */
static error_code ask_refused(listener *l, replication_op op, const char *name)
{
    asked a;
    ask_start(l->r, &a, (replication_call){.op = op, .name = name});
    assert_null(ask_end(l, &a));
    return a.call.err.code;
}

static bool slot_is(listener *l, const char *name, const char *state, int64_t lsn)
{
    json_t *s = ask_op(l, REPLICATION_SLOT, name);
    bool is = s && strcmp(json_string_value(json_object_get(s, "state")), state) == 0 &&
              json_integer_value(json_object_get(s, "confirmed_lsn")) == lsn;
    json_decref(s);
    return is;
}

#endif
