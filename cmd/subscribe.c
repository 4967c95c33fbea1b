/* rustydb subscribe: prints events as they are committed, and goes on after a disconnect. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/backoff.h"
#include "cli/client.h"
#include "cli/event_text.h"
#include "cli/exec.h"
#include "cli/interrupt.h"
#include "cli/login.h"
#include "cli/param.h"
#include "cli/state_file.h"
#include "cli/subscription.h"
#include "cli/text.h"
#include "cli/ws_client.h"
#include "cmd/command.h"
#include "json/writer.h"

typedef struct subscribe_options {
    const char *where;
    const char *ops;
    const char *since;
    const char *exec;
    const char *state;
    const char *query;
    const char *topic;
    option_list params;
    int64_t interval;
    int64_t count;
} subscribe_options;

static const option options[] = {
    {"where", 'w', "EXPR",
     "only rows for which this SQL expression is true; old.x and new.x tell the two sides of an "
     "update",
     OPTION_TEXT, offsetof(subscribe_options, where)},
    {"ops", 'o', "LIST", "only these of insert,update,delete", OPTION_TEXT,
     offsetof(subscribe_options, ops)},
    {"since", 's', "LSN", "begin behind this event (0: with the oldest kept); also LOG_ID:LSN",
     OPTION_TEXT, offsetof(subscribe_options, since)},
    {"query", 0, "SELECT",
     "follow the result of a SELECT: print it, and then what changes in it; the words behind are "
     "the values of its \"?\"",
     OPTION_TEXT, offsetof(subscribe_options, query)},
    {"param", 'p', "NAME=VALUE", "with --query: value of the parameter :NAME", OPTION_LIST,
     offsetof(subscribe_options, params)},
    {"topic", 0, "NAME",
     "follow what the daemon tells of itself: metrics (the words behind choose which, such as "
     "cpu.* or feed.lag), queries, or system",
     OPTION_TEXT, offsetof(subscribe_options, topic)},
    {"interval", 'i', "MS",
     "with --query: at least so many milliseconds between two messages; with --topic metrics: "
     "from one sample to the next (default: 1000)",
     OPTION_INT, offsetof(subscribe_options, interval), 1, 3600000},
    {"count", 'n', "N", "end after N events", OPTION_INT, offsetof(subscribe_options, count), 1,
     INT64_MAX},
    {"exec", 'x', "COMMAND",
     "instead of printing, run COMMAND (sh -c) for each event with the event on its standard "
     "input, one at a time; if one fails, end with status 5, the event not being counted as seen",
     OPTION_TEXT, offsetof(subscribe_options, exec)},
    {"state", 0, "FILE",
     "remember in FILE what was printed, and begin behind it next time (--since is for the first "
     "time)",
     OPTION_TEXT, offsetof(subscribe_options, state)},
};

const command_usage usage_subscribe = {
    .synopsis = "[OPTION...] TABLE|channel:NAME|--query SQL|--topic NAME",
    .details = "Prints every committed change of a table, or every message on a channel, one a\n"
               "line as it comes: the event as JSON, or with --format line a text for people.\n\n"
               "When the connection is lost it connects again, waiting longer each time, and\n"
               "for a table goes on behind the last event it printed: none is missing, none\n"
               "comes twice. Should the daemon no longer keep what is missing, it ends with\n"
               "status 7. Channels are live only. With --timeout it ends with status 6 after\n"
               "that time.\n\n"
               "With --query it prints the result of the SELECT, one line, and then a line for\n"
               "each difference, until the query no longer works. After a disconnect it begins\n"
               "with the whole result again.\n\n"
               "With --topic it prints what the daemon tells of itself: metrics at an interval,\n"
               "statements as they start and end, or what happens to the daemon.",
    .examples = "  rustydb subscribe countries\n"
                "  rustydb subscribe orders --ops update --where 'new.total > old.total'\n"
                "  rustydb subscribe orders --state orders.lsn --exec './ship.sh'\n"
                "  rustydb subscribe channel:news --format line\n"
                "  rustydb subscribe --query 'SELECT count(*) FROM orders WHERE state = ?' open\n"
                "  rustydb subscribe --topic metrics --interval 500 'cpu.*' queries.per_second",
    .formats = "jsonl line",
    COMMAND_OPTIONS(options),
};

/* One run of the command. */
typedef struct subscribe_run {
    client c;
    subscription s;
    ws_client *ws;
    const subscribe_options *o;
    buf topic, kinds, params, send;
    bool as_text;
    int64_t events;      /* passed on */
    int64_t deadline_us; /* monotonic, 0: none */
    backoff wait;
    state_file state;
    int64_t saved_lsn; /* in it, -1: none */
} subscribe_run;

static void say(const subscribe_run *r, const char *text)
{
    buf line = BUF_INIT;
    if (r->c.common->quiet)
        return;
    text_printable(&line, text, strlen(text));
    fprintf(stderr, "%s\n", buf_cstr(&line));
    buf_free(&line);
}

/* ---- events -----------------------------------------------------------------------------------
 */

static event_verdict run_command(subscribe_run *r, scan_text payload)
{
    buf line = BUF_INIT;
    if (r->as_text)
        event_text(&line, payload, false);
    else
        buf_add(&line, payload.p, payload.n);
    buf_addc(&line, '\n');
    int status = exec_with_input(r->o->exec, line.data, line.len);
    buf_free(&line);
    if (status == 0)
        return EVENT_NEXT;
    if (status < 0)
        error_set(&r->s.err, ERR_CLIENT_ERROR, "cannot run the command: %s", strerror(errno));
    else if (!interrupted())
        error_set(&r->s.err, ERR_CLIENT_ERROR, "the command ended with status %d", status);
    return EVENT_FAILED;
}

static event_verdict print_event(subscribe_run *r, scan_text payload)
{
    if (r->as_text)
        event_text(&r->c.out.text, payload, r->c.out.color);
    else
        buf_add(&r->c.out.text, payload.p, payload.n);
    buf_addc(&r->c.out.text, '\n');
    return output_flush(&r->c.out) ? EVENT_NEXT : EVENT_FAILED;
}

static event_verdict on_event(subscription *s, scan_text payload)
{
    subscribe_run *r = s->arg;
    event_verdict verdict = r->o->exec ? run_command(r, payload) : print_event(r, payload);
    if (verdict != EVENT_NEXT)
        return verdict;
    r->events++;
    return r->o->count && r->events >= r->o->count ? EVENT_LAST : EVENT_NEXT;
}

static bool on_moved(subscription *s)
{
    subscribe_run *r = s->arg;
    if (r->state.fd < 0 || s->lsn == r->saved_lsn)
        return true;
    buf position = BUF_INIT;
    subscription_position(s, &position);
    bool good = state_file_save(&r->state, buf_cstr(&position), &s->err);
    buf_free(&position);
    r->saved_lsn = s->lsn;
    return good;
}

static void on_subscribed(subscription *s)
{
    subscribe_run *r = s->arg;
    char text[200];
    backoff_reset(&r->wait);
    if (s->table)
        snprintf(text, sizeof text, "subscribed to %.100s behind lsn %lld", s->topic,
                 (long long)s->lsn);
    else
        snprintf(text, sizeof text, "subscribed to %.100s", s->topic);
    say(r, text);
}

static void on_notice(subscription *s, const char *text)
{
    say(s->arg, text);
}

static const subscription_ops ops = {
    .event = on_event, .moved = on_moved, .subscribed = on_subscribed, .notice = on_notice};

/* ---- connections ------------------------------------------------------------------------------
 */

static bool out_of_time(const subscribe_run *r)
{
    return r->deadline_us && clock_mono_us() >= r->deadline_us;
}

static bool on_message(void *arg, const char *p, size_t n)
{
    subscribe_run *r = arg;
    buf_clear(&r->send);
    bool good = subscription_message(&r->s, p, n, &r->send);
    if (r->send.len > 0 && !ws_client_send(r->ws, r->send.data, r->send.len))
        good = error_set(&r->s.err, ERR_CLIENT_ERROR, "out of memory");
    return good && !out_of_time(r) && !interrupted();
}

static bool on_tick(void *arg)
{
    subscribe_run *r = arg;
    if (!r->o->exec)
        output_check_reader();
    return !out_of_time(r);
}

/* Waits before the next try. False when the wait was cut short. */
static bool wait_before_retry(subscribe_run *r, const error *why)
{
    char text[600];
    error unseen;
    int ms = backoff_next(&r->wait) + (int)r->s.retry_after_ms;
    int64_t left = r->deadline_us ? (r->deadline_us - clock_mono_us()) / 1000 : ms;
    if (left < ms)
        ms = left < 0 ? 0 : (int)left;
    snprintf(text, sizeof text, "%s; connecting again in %.1f s", why->message, ms / 1000.0);
    say(r, text);
    bool waited = interrupt_sleep(ms);
    if (!r->o->exec)
        output_check_reader();
    endpoint_find_token(&r->c.ep);
    login_use(&r->c.ep, &unseen); /* what is wrong with it shows when it is used */
    return waited;
}

/* Whether this connection was the last; then *why says how it ended (ERR_NONE: well). */
static bool is_last(subscribe_run *r, bool first, error *why)
{
    if (r->s.err.code != ERR_NONE)
        *why = r->s.err;
    if (r->s.finished || interrupted() || r->c.out.failed)
        return true;
    if (out_of_time(r)) {
        error_set(why, ERR_TIMEOUT, "the time is over after %lld event%s", (long long)r->events,
                  r->events == 1 ? "" : "s");
        return true;
    }
    if (why->code == ERR_AUTH_EXPIRED && r->c.ep.saved)
        return false; /* its token has come to its end, and is exchanged for the next */
    return subscription_is_permanent(why) || (first && !ws_client_was_open(r->ws));
}

static int follow(subscribe_run *r)
{
    error why;
    const ws_handler handler = {.message = on_message, .tick = on_tick, .arg = r};
    for (bool first = true;; first = false) {
        subscription_connect(&r->s);
        ws_client_run(r->ws, &handler, &why);
        if (is_last(r, first, &why))
            break;
        if (!wait_before_retry(r, &why))
            break;
    }
    if (interrupted())
        error_set(&why, ERR_CANCELLED, "interrupted");
    else if (r->s.finished && r->s.err.code == ERR_NONE && !r->c.out.failed)
        return EXIT_OK;
    if (why.code == ERR_AUTH_REQUIRED || why.code == ERR_AUTH_FAILED)
        endpoint_hint_token(&r->c.ep, &why);
    return client_fail(&r->c, &why);
}

/* ---- what was asked for -----------------------------------------------------------------------
 */

static int take_target(subscribe_run *r, const command *self, const char *target)
{
    bool channel = strncmp(target, "channel:", 8) == 0;
    bool named = channel || strncmp(target, "table:", 6) == 0;
    buf_addf(&r->topic, "%s%s", named ? "" : "table:", target);
    r->s.topic = buf_cstr(&r->topic);
    r->s.table = !channel;
    if (r->s.topic[strlen(r->s.topic) - 1] == ':')
        return command_misuse(self, "the target has no name");
    if (!text_valid_utf8(r->s.topic, r->topic.len))
        return command_misuse(self, "the target is not valid UTF-8");
    if (channel && (r->o->since || r->o->where || r->o->ops || r->o->state))
        return command_misuse(self, "a channel has no --since, --where, --ops and --state");
    return -1;
}

/* "insert,update" as a JSON array. */
static int take_ops(subscribe_run *r, const command *self, const char *list)
{
    static const char *const known[] = {"insert", "update", "delete"};
    const char *p = list;
    do {
        size_t n = strcspn(p, ","), i = 0;
        while (i < 3 && (strlen(known[i]) != n || memcmp(p, known[i], n) != 0))
            i++;
        if (i == 3)
            return command_misuse(self, "--ops is a list of insert,update,delete, not \"%s\"",
                                  list);
        buf_addf(&r->kinds, "%s\"%s\"", p == list ? "[" : ",", known[i]);
        p += n;
    } while (*p++ == ',');
    buf_addc(&r->kinds, ']');
    r->s.kinds = buf_cstr(&r->kinds);
    return -1;
}

static int take_position(subscribe_run *r, const command *self)
{
    error e;
    buf saved = BUF_INIT;
    int status = -1;
    const char *since = r->o->since;
    if (r->o->state && !state_file_open(&r->state, r->o->state, &saved, &e))
        status = command_misuse(self, "%s", e.message);
    else if (saved.len > 0 && !subscription_since(&r->s, buf_cstr(&saved)))
        status = command_misuse(self, "%s holds no position; remove it to begin anew", r->o->state);
    else if (saved.len == 0 && since && !subscription_since(&r->s, since))
        status = command_misuse(self, "--since is an lsn or LOG_ID:LSN, not \"%s\"", since);
    if (saved.len > 0 && status < 0)
        r->saved_lsn = r->s.lsn;
    buf_free(&saved);
    return status;
}

static int take_query(subscribe_run *r, const command *self, int n, char **words)
{
    error e;
    const subscribe_options *o = r->o;
    if (o->since || o->where || o->ops || o->state)
        return command_misuse(self, "--query goes without --since, --where, --ops and --state");
    if (n && o->params.n)
        return command_misuse(self, "parameters are either words or --param");
    if (!text_valid_utf8(o->query, strlen(o->query)))
        return command_misuse(self, "--query is not valid UTF-8");
    bool named = o->params.n > 0;
    if (named)
        buf_addc(&r->params, '{');
    for (int i = 0; i < o->params.n; i++) {
        if (!param_named(&r->params, i == 0, o->params.items[i].value, &e))
            return command_misuse(self, "%s", e.message);
    }
    if (named)
        buf_addc(&r->params, '}');
    else if (n && !param_array(&r->params, words, n, &e))
        return command_misuse(self, "%s", e.message);
    r->s.query = o->query;
    r->s.params = r->params.len ? buf_cstr(&r->params) : NULL;
    r->s.interval_ms = o->interval;
    return -1;
}

/* A topic of the daemon's own; the words are names of metrics. */
static int take_topic(subscribe_run *r, const command *self, int n, char **words)
{
    const subscribe_options *o = r->o;
    if (o->query || o->since || o->where || o->ops || o->state || o->params.n)
        return command_misuse(
            self, "--topic goes without --query, --param, --since, --where, --ops and --state");
    bool metrics = strcmp(o->topic, "metrics") == 0;
    if (!metrics && (n || o->interval))
        return command_misuse(self, "names and --interval go with --topic metrics alone");
    json_writer w;
    jw_init(&w, &r->params);
    jw_begin_array(&w);
    for (int i = 0; i < n; i++)
        jw_str(&w, words[i]);
    jw_end_array(&w);
    r->s.topic = o->topic;
    r->s.of_daemon = true;
    r->s.metrics = n ? buf_cstr(&r->params) : NULL;
    r->s.interval_ms = o->interval;
    return -1;
}

static int prepare(subscribe_run *r, const command *self, int argc, char **argv)
{
    if (r->o->topic)
        return take_topic(r, self, argc - 1, argv + 1);
    if (r->o->query)
        return take_query(r, self, argc - 1, argv + 1);
    if (r->o->params.n || r->o->interval)
        return command_misuse(self, "--param and --interval go with --query or --topic");
    if (argc != 2)
        return command_misuse(self, argc < 2 ? "needs a table, channel:NAME, --query or --topic"
                                             : "one table or channel at a time");
    int status = take_target(r, self, argv[1]);
    if (status < 0 && r->o->ops)
        status = take_ops(r, self, r->o->ops);
    if (status < 0)
        status = take_position(r, self);
    if (status < 0 && r->o->where && !text_valid_utf8(r->o->where, strlen(r->o->where)))
        status = command_misuse(self, "--where is not valid UTF-8");
    return status;
}

int cmd_subscribe(const command *self, int argc, char **argv, cli_options *common)
{
    error e;
    subscribe_options o = {0};
    int status = command_parse(self, &argc, argv, &o, common);
    if (status >= 0)
        return status;
    subscribe_run r = {.o = &o, .state.fd = -1, .saved_lsn = -1};
    r.s = (subscription){.ops = &ops, .arg = &r, .where = o.where};
    r.as_text = common->format && strcmp(common->format, "line") == 0;
    if (common->timeout_ms > 0)
        r.deadline_us = clock_mono_us() + common->timeout_ms * 1000;
    status = prepare(&r, self, argc, argv);
    if (status < 0)
        status = client_open(&r.c, "subscribe", common);
    if (status < 0) {
        error_clear(&e);
        r.ws = login_use(&r.c.ep, &e) ? ws_client_open(&r.c.ep, &e) : NULL;
        status = r.ws ? follow(&r) : client_fail(&r.c, &e);
    }
    ws_client_close(r.ws);
    state_file_close(&r.state);
    client_close(&r.c);
    buf_free(&r.topic);
    buf_free(&r.kinds);
    buf_free(&r.params);
    option_list_free(&o.params);
    buf_free(&r.send);
    return status;
}
