/* Streams of metrics: who shares one, when a sample is due, and what reactors are sent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "daemon/metrics_streams.h"

enum { MS = 1000, FIRST_AT = 1000 * MS };

typedef struct world {
    metrics_streams streams;
    reactor *reactors[2];
    figure_set base;
} world;

static int setup(void **state)
{
    world *w = xalloc(sizeof *w);
    metrics_streams_init(&w->streams);
    for (int i = 0; i < 2; i++) {
        w->reactors[i] = xalloc(sizeof(reactor));
        w->reactors[i]->index = i;
        mailbox_init(&w->reactors[i]->box, NULL, NULL);
    }
    w->base.at_us = 1;
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    world *w = *state;
    metrics_streams_free(&w->streams);
    for (int i = 0; i < 2; i++) {
        mailbox_destroy(&w->reactors[i]->box);
        mem_free(w->reactors[i]);
    }
    mem_free(w);
    return 0;
}

static void join(world *w, int reactor_index, uint64_t sub, int64_t interval_ms, const char *name)
{
    error e;
    metrics_ask ask = {
        .sub = sub,
        .home = w->reactors[reactor_index],
        .form = FORM_JSON,
        .interval_us = interval_ms * MS,
    };
    assert_true(metric_set_add(&ask.set, name, &e));
    metrics_streams_join(&w->streams, &ask, 2);
}

/* Gives everything that is due at this time. */
static void tell(world *w, int64_t at_us)
{
    figure_set now = {.at_us = at_us};
    metrics_streams_tell(&w->streams, at_us, &now, &w->base);
}

/* The next message to a reactor is this, for this subscription (0: for a whole stream). */
static uint64_t expect(world *w, int reactor_index, feed_msg_kind kind, uint64_t sub)
{
    list mail;
    list_init(&mail);
    mailbox *box = &w->reactors[reactor_index]->box;
    mailbox_take(box, &mail);
    list *first = list_pop(&mail);
    assert_non_null(first);
    feed_msg *m = list_entry(first, feed_msg, link);
    assert_int_equal(m->tag, FEED_TAG);
    assert_int_equal(m->kind, kind);
    if (sub)
        assert_int_equal(m->sub, sub);
    assert_int_equal(m->frames != NULL, kind == FEED_REPLAY || kind == FEED_FRAMES);
    uint64_t stream = m->stream;
    feed_msg_free(m);
    for (list *it; (it = list_pop(&mail)) != NULL;)
        mailbox_post(box, it);
    return stream;
}

static void expect_nothing(world *w)
{
    for (int i = 0; i < 2; i++)
        assert_true(list_empty(&w->reactors[i]->box.items));
}

static uint64_t expect_first(world *w, int reactor_index, uint64_t sub)
{
    uint64_t stream = expect(w, reactor_index, FEED_SUBSCRIBED, sub);
    assert_true(stream & METRICS_STREAM_BIT);
    assert_int_equal(expect(w, reactor_index, FEED_REPLAY, sub), stream);
    assert_int_equal(expect(w, reactor_index, FEED_LIVE, sub), stream);
    return stream;
}

static void the_first_sample_is_due_at_once(void **state)
{
    world *w = *state;
    assert_int_equal(metrics_streams_due(&w->streams), -1);
    assert_int_equal(metrics_streams_from(&w->streams, FIRST_AT), 0);
    join(w, 0, 7, 500, "cpu.cores");
    assert_int_equal(metrics_streams_due(&w->streams), 0);
    assert_int_equal(metrics_streams_from(&w->streams, FIRST_AT), FROM_CPU);
    tell(w, FIRST_AT);
    expect_first(w, 0, 7);
    assert_int_equal(metrics_streams_due(&w->streams), FIRST_AT + 500 * MS);
    assert_int_equal(metrics_streams_from(&w->streams, FIRST_AT + 499 * MS), 0);
    tell(w, FIRST_AT + 499 * MS);
    expect_nothing(w);
    tell(w, FIRST_AT + 500 * MS);
    expect(w, 0, FEED_FRAMES, 0);
    expect_nothing(w);
    metrics_streams_leave(&w->streams, 7);
    metrics_streams_leave(&w->streams, 7);
    assert_int_equal(metrics_streams_due(&w->streams), -1);
}

static void equal_wishes_share_a_stream(void **state)
{
    world *w = *state;
    join(w, 0, 1, 500, "cpu.cores");
    join(w, 0, 2, 500, "cpu.cores");
    join(w, 1, 3, 500, "cpu.cores");
    assert_int_equal(w->streams.n, 1);
    uint64_t stream = expect(w, 0, FEED_SUBSCRIBED, 1);
    assert_int_equal(expect(w, 0, FEED_SUBSCRIBED, 2), stream);
    assert_int_equal(expect(w, 1, FEED_SUBSCRIBED, 3), stream);
    tell(w, FIRST_AT);
    for (uint64_t sub = 1; sub <= 2; sub++) {
        expect(w, 0, FEED_REPLAY, sub);
        expect(w, 0, FEED_LIVE, sub);
    }
    expect(w, 1, FEED_REPLAY, 3);
    expect(w, 1, FEED_LIVE, 3);
    tell(w, FIRST_AT + 500 * MS);
    assert_int_equal(expect(w, 0, FEED_FRAMES, 0), stream); /* once, for both */
    assert_int_equal(expect(w, 1, FEED_FRAMES, 0), stream);
    expect_nothing(w);
}

static void who_comes_later_waits_for_nothing(void **state)
{
    world *w = *state;
    join(w, 0, 1, 60000, "cpu.cores");
    tell(w, FIRST_AT);
    expect_first(w, 0, 1);
    join(w, 1, 2, 60000, "cpu.cores");
    assert_int_equal(metrics_streams_due(&w->streams), 0);
    tell(w, FIRST_AT + 30000 * MS);
    expect_first(w, 1, 2);
    expect_nothing(w); /* the others wait for their time */
    assert_int_equal(metrics_streams_due(&w->streams), FIRST_AT + 60000 * MS);
}

static void late_samples_are_not_made_up_for(void **state)
{
    world *w = *state;
    join(w, 0, 1, 100, "cpu.cores");
    tell(w, FIRST_AT);
    expect_first(w, 0, 1);
    tell(w, FIRST_AT + 130 * MS); /* a little late: the rhythm stays */
    expect(w, 0, FEED_FRAMES, 0);
    assert_int_equal(metrics_streams_due(&w->streams), FIRST_AT + 200 * MS);
    tell(w, FIRST_AT + 950 * MS);
    expect(w, 0, FEED_FRAMES, 0);
    expect_nothing(w);
    assert_int_equal(metrics_streams_due(&w->streams), FIRST_AT + 1050 * MS);
}

static void too_many_different_wishes_are_refused(void **state)
{
    world *w = *state;
    join(w, 0, 1, 100, "cpu.cores");
    join(w, 0, 2, 200, "cpu.cores");
    join(w, 0, 3, 200, "feed.lag");
    join(w, 0, 4, 200, "cpu.cores");
    expect(w, 0, FEED_SUBSCRIBED, 1);
    expect(w, 0, FEED_SUBSCRIBED, 2);
    expect(w, 0, FEED_REFUSED, 3);
    expect(w, 0, FEED_SUBSCRIBED, 4);
    metrics_streams_leave(&w->streams, 1);
    join(w, 0, 5, 200, "feed.lag");
    expect(w, 0, FEED_SUBSCRIBED, 5);
    assert_int_equal(metrics_streams_from(&w->streams, 0), FROM_CPU | FROM_ENGINE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_first_sample_is_due_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(equal_wishes_share_a_stream, setup, teardown),
        cmocka_unit_test_setup_teardown(who_comes_later_waits_for_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(late_samples_are_not_made_up_for, setup, teardown),
        cmocka_unit_test_setup_teardown(too_many_different_wishes_are_refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
