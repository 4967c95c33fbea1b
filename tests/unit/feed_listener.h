/* A listener for tests of the feed: takes its messages in order and keeps, per subscription, what a
 * client would have read. Everything static: a test includes it once. */
#ifndef TESTS_FEED_LISTENER_H
#define TESTS_FEED_LISTENER_H

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "feed/feed.h"

enum { LISTENER_SUBS = 64, LISTENER_WAIT_US = 60 * 1000000 };

typedef struct heard {
    bool subscribed, refused, live, ended;
    uint64_t stream;
    int64_t lsn; /* of FEED_SUBSCRIBED */
    char filter[FEED_FILTER_ID + 1], log_id[40], table[64];
    error err;
    buf text;   /* its frames, a line each */
    int events; /* how many */
    int replayed;
    size_t unacked;
} heard;

typedef struct listener {
    feed *f;
    mailbox box;
    int id;
    bool no_acks;
    heard subs[LISTENER_SUBS];
} listener;

/* The wire format of these tests: a line per message. */
static void render_line(buf *out, int form, const feed_event *ev)
{
    buf_addf(out, "{\"type\":\"%s\",\"payload\":", ev->rec->kind == LOG_DDL ? "system" : "event");
    buf_add(out, ev->json, ev->len);
    buf_adds(out, form ? "}*\n" : "}\n");
}

static const feed_form line_forms[] = {{true, render_line}, {true, render_line}};

static void listener_start(listener *l, feed *f)
{
    memset(l, 0, sizeof *l);
    l->f = f;
    mailbox_init(&l->box, NULL, NULL);
    l->id = feed_add_listener(f, &l->box);
    assert_true(l->id >= 0);
}

static void listener_hear(heard *h, const feed_msg *m)
{
    buf_add(&h->text, m->frames->data + m->skip, m->frames->len - m->skip);
    h->events += m->events;
    assert_false(h->ended);
}

static void listener_take(listener *l, feed_msg *m)
{
    assert_int_equal(m->tag, FEED_TAG);
    heard *h = m->kind == FEED_FRAMES ? NULL : &l->subs[m->sub];
    switch (m->kind) {
    case FEED_SUBSCRIBED:
        assert_false(h->subscribed);
        h->subscribed = true;
        h->stream = m->stream;
        h->lsn = m->lsn;
        memcpy(h->filter, m->filter, sizeof h->filter);
        memcpy(h->log_id, m->log_id, sizeof h->log_id);
        if (m->table)
            strncpy(h->table, m->table, sizeof h->table - 1);
        break;
    case FEED_REFUSED:
        h->refused = true;
        h->err = m->err;
        break;
    case FEED_REPLAY:
        assert_true(h->subscribed && !h->live);
        listener_hear(h, m);
        h->replayed += m->events;
        h->unacked += m->frames->len - m->skip;
        if (!l->no_acks) {
            feed_ack(l->f, l->id, m->sub, m->frames->len - m->skip);
            h->unacked -= m->frames->len - m->skip;
        }
        break;
    case FEED_LIVE:
        assert_true(h->subscribed && !h->live);
        assert_int_equal(m->stream, h->stream);
        h->live = true;
        break;
    case FEED_ENDED:
        h->ended = true;
        h->live = false;
        h->err = m->err;
        break;
    case FEED_FRAMES:
        for (int i = 0; i < LISTENER_SUBS; i++) {
            if (l->subs[i].live && l->subs[i].stream == m->stream)
                listener_hear(&l->subs[i], m);
        }
        break;
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
            listener_pump(l, 100000);                                                              \
            if (clock_mono_us() > give_up)                                                         \
                fail_msg("waited in vain for %s", #what);                                          \
        }                                                                                          \
    } while (0)

/* After feed_stop. */
static void listener_end(listener *l)
{
    l->no_acks = true; /* the feed is gone */
    listener_pump(l, 0);
    mailbox_destroy(&l->box);
    for (int i = 0; i < LISTENER_SUBS; i++)
        buf_free(&l->subs[i].text);
}

static void listener_subscribe(listener *l, uint64_t number, const char *table, const char *where,
                               int64_t since)
{
    feed_request r = {
        .listener = l->id,
        .sub = number,
        .tables = (const char *const[]){table},
        .n_tables = 1,
        .where = where,
        .has_since = since >= 0,
        .since = since >= 0 ? since : 0,
    };
    assert_true(feed_subscribe(l->f, &r));
}

/* The lsn of a frame, from its text. */
static int64_t line_lsn(const char *line)
{
    const char *at = strstr(line, "\"lsn\":");
    return at ? strtoll(at + 6, NULL, 10) : -1;
}

/* Checks that the frames of a subscription have these lsn, in order, and nothing else. */
static void expect_lsns(heard *h, const int64_t *lsns, int n)
{
    const char *at = buf_cstr(&h->text);
    for (int i = 0; i < n; i++) {
        const char *end = strchr(at, '\n');
        if (!end || line_lsn(at) != lsns[i])
            fail_msg("frame %d is not of the event %" PRId64 ": %.200s", i, lsns[i], at);
        at = end + 1;
    }
    if (*at)
        fail_msg("unexpected: %.200s", at);
    assert_int_equal(h->events, n);
}

#endif
