/* rustydb subscriptions: what connections are subscribed to; makes and ends subscriptions. */
#include <string.h>

#include "cli/listing.h"
#include "cli/scan.h"
#include "cli/text.h"
#include "cmd/command.h"
#include "json/writer.h"

typedef struct subscriptions_options {
    const char *connection;
    const char *type;
    const char *status;
    int64_t limit;
    const char *where;
    option_list ops;
    option_list columns;
    const char *since;
    const char *policy;
    const char *reason;
} subscriptions_options;

static const option options[] = {
    {"connection", 0, "ID", "list: those of this connection", OPTION_TEXT,
     offsetof(subscriptions_options, connection)},
    {"type", 0, "TYPE", "list: those of this type, such as table or channel", OPTION_TEXT,
     offsetof(subscriptions_options, type)},
    {"status", 0, "STATUS", "list: those that are pending, replaying, live or resuming",
     OPTION_TEXT, offsetof(subscriptions_options, status)},
    {"limit", 'n', "N", "list: at most N", OPTION_INT, offsetof(subscriptions_options, limit), 1,
     INT64_MAX},
    {"where", 'w', "EXPRESSION", "add: only rows for which this is true", OPTION_TEXT,
     offsetof(subscriptions_options, where)},
    {"op", 0, "OP", "add: only insert, update or delete (may be given again)", OPTION_LIST,
     offsetof(subscriptions_options, ops)},
    {"column", 0, "NAME", "add: only when this column changed (may be given again)", OPTION_LIST,
     offsetof(subscriptions_options, columns)},
    {"since", 0, "LSN", "add: from behind this position on", OPTION_TEXT,
     offsetof(subscriptions_options, since)},
    {"policy", 0, "POLICY", "add: disconnect, drop_oldest or replay, when it reads too slowly",
     OPTION_TEXT, offsetof(subscriptions_options, policy)},
    {"reason", 'r', "TEXT", "rm: what the client is told", OPTION_TEXT,
     offsetof(subscriptions_options, reason)},
};

const command_usage usage_subscriptions = {
    .synopsis = "[OPTION...] [list]\n"
                "       rustydb subscriptions [OPTION...] add CONNECTION TOPIC\n"
                "       rustydb subscriptions [OPTION...] rm ID...",
    .details =
        "Lists what connections are subscribed to, with what they got and how many events\n"
        "they are behind; subscribes a connection on its behalf; or ends subscriptions,\n"
        "whose connections stay. TOPIC is the name of a table, or table:NAME, channel:NAME\n"
        "and so on.\n\n"
        "Without --format it is table on a terminal (of the main columns; the other formats\n"
        "have all) and csv otherwise.",
    .examples = "  rustydb subscriptions --status replaying\n"
                "  rustydb subscriptions add c12 orders --where 'total > 100'\n"
                "  rustydb subscriptions rm s31 --reason 'too much'",
    .formats = FORMAT_NAMES,
    COMMAND_OPTIONS(options),
};

static const char *const columns[] = {"subscription_id",
                                      "connection_id",
                                      "subscription_type",
                                      "target",
                                      "filters",
                                      "created_at",
                                      "messages_sent",
                                      "last_message_at",
                                      "status",
                                      "config",
                                      "lag",
                                      NULL};
static const char *const brief[] = {"subscription_id", "connection_id", "subscription_type",
                                    "target",          "filters",       "status",
                                    "messages_sent",   "lag",           NULL};
static const listing_kind subscriptions = {"/ws/subscriptions", "subscriptions", "subscription_id",
                                           columns, brief};

static const char *const ended_columns[] = {"subscription_id", "reason", NULL};
static const listing_kind ended = {"/ws/subscriptions", "subscriptions", "subscription_id",
                                   ended_columns, ended_columns};

/* ---- list --------------------------------------------------------------------------------------
 */

static int list_all(client *c, const subscriptions_options *o)
{
    buf filter = BUF_INIT;
    listing_param(&filter, "connection_id", o->connection);
    listing_param(&filter, "subscription_type", o->type);
    listing_param(&filter, "status", o->status);
    int status = listing_list(c, &subscriptions, buf_cstr(&filter), o->limit);
    buf_free(&filter);
    return status;
}

/* ---- add ---------------------------------------------------------------------------------------
 */

static void put_text(json_writer *w, const char *key, const char *text)
{
    if (!text)
        return;
    jw_key(w, key);
    jw_str(w, text);
}

static void put_list(json_writer *w, const char *key, const option_list *l)
{
    if (!l->n)
        return;
    jw_key(w, key);
    jw_begin_array(w);
    for (int i = 0; i < l->n; i++)
        jw_str(w, l->items[i].value);
    jw_end_array(w);
}

/* A plain name is a table's. */
static void put_topic(json_writer *w, const char *topic)
{
    buf text = BUF_INIT;
    if (!strchr(topic, ':'))
        buf_adds(&text, "table:");
    buf_adds(&text, topic);
    put_text(w, "topic", buf_cstr(&text));
    buf_free(&text);
}

static void write_body(buf *body, const subscriptions_options *o, const char *connection,
                       const char *topic)
{
    json_writer w;
    jw_init(&w, body);
    jw_begin_object(&w);
    put_text(&w, "connection_id", connection);
    put_topic(&w, topic);
    put_text(&w, "where", o->where);
    put_list(&w, "ops", &o->ops);
    put_list(&w, "columns", &o->columns);
    put_text(&w, "policy", o->policy);
    if (o->since) {
        jw_key(&w, "since");
        if (o->since[0] && strspn(o->since, "0123456789") == strlen(o->since))
            jw_raw(&w, o->since, strlen(o->since));
        else
            jw_str(&w, o->since);
    }
    jw_end_object(&w);
}

static void say_added(client *c, scan_text subscription, const char *connection)
{
    scan_text id;
    buf text = BUF_INIT;
    if (!c->common->quiet && scan_member(subscription, "subscription_id", &id) &&
        scan_unquote(&text, id)) {
        text_printable(&c->out.text, connection, strlen(connection));
        buf_adds(&c->out.text, " has subscription ");
        text_printable(&c->out.text, text.data, text.len);
        buf_addc(&c->out.text, '\n');
    }
    buf_free(&text);
}

static int add(client *c, const subscriptions_options *o, const char *connection, const char *topic)
{
    buf body = BUF_INIT, answer = BUF_INIT;
    listing l;
    error e;
    write_body(&body, o, connection, topic);
    bool good = rest_send(c->rest,
                          &(rest_request){.method = "POST",
                                          .path = "/ws/subscriptions",
                                          .body = body.data,
                                          .body_len = body.len,
                                          .timeout_ms = c->common->timeout_ms},
                          &answer, &e);
    scan_text made = scan_value(answer.data ? answer.data : "", answer.len);
    if (good && c->common->format) {
        listing_open(&l, &subscriptions, c, "table");
        good = listing_row(&l, made, &e);
        listing_close(&l, good);
    } else if (good) {
        say_added(c, made, connection);
    }
    good = output_flush(&c->out) && good;
    buf_free(&body);
    buf_free(&answer);
    return good ? EXIT_OK : client_fail(c, &e);
}

/* ---- rm ----------------------------------------------------------------------------------------
 */

static void say_ended(buf *out, scan_text answer)
{
    scan_text v;
    buf id = BUF_INIT;
    if (scan_member(answer, "subscription_id", &v) && scan_unquote(&id, v)) {
        text_printable(out, id.data, id.len);
        buf_adds(out, " is ended\n");
    }
    buf_free(&id);
}

static int end_all(client *c, const subscriptions_options *o, char **ids)
{
    buf query = BUF_INIT;
    listing_param(&query, "reason", o->reason);
    int status = listing_remove(c, &ended, buf_cstr(&query), ids, say_ended);
    buf_free(&query);
    return status;
}

/* ---- the command -------------------------------------------------------------------------------
 */

typedef enum verb { VERB_LIST, VERB_ADD, VERB_RM } verb;

/* What to do, and whether the options and the words fit it. Returns -1 or the exit status. */
static int read_verb(const command *self, const subscriptions_options *o, int argc, char **argv,
                     verb *v)
{
    static const char *const names[] = {"list", "add", "rm"};
    size_t i = 0, n = sizeof names / sizeof *names;
    while (argc > 1 && i < n && strcmp(argv[1], names[i]) != 0)
        i++;
    if (i == n)
        return command_misuse(self, "\"%s\" is not list, add or rm", argv[1]);
    *v = (verb)i;
    if (*v == VERB_LIST && argc > 2)
        return command_misuse(self, "list takes no words");
    if (*v == VERB_ADD && argc != 4)
        return command_misuse(self, "add needs the id of a connection and a topic");
    if (*v == VERB_RM && argc < 3)
        return command_misuse(self, "rm needs the id of a subscription");
    if (*v != VERB_LIST && (o->connection || o->type || o->status || o->limit))
        return command_misuse(self, "--connection, --type, --status and --limit go with list");
    if (*v != VERB_ADD && (o->where || o->ops.n || o->columns.n || o->since || o->policy))
        return command_misuse(self, "--where, --op, --column, --since and --policy go with add");
    if (*v != VERB_RM && o->reason)
        return command_misuse(self, "--reason goes with rm");
    return -1;
}

static int run(const command *self, const subscriptions_options *o, verb v, char **argv,
               const cli_options *common)
{
    client c = {0};
    int status = client_open(&c, self->name, common);
    if (status < 0)
        status = client_connect(&c);
    if (status < 0) {
        status = v == VERB_LIST  ? list_all(&c, o)
                 : v == VERB_ADD ? add(&c, o, argv[2], argv[3])
                                 : end_all(&c, o, argv + 2);
    }
    client_close(&c);
    return status;
}

int cmd_subscriptions(const command *self, int argc, char **argv, cli_options *common)
{
    subscriptions_options o = {0};
    verb v = VERB_LIST;
    int status = command_parse(self, &argc, argv, &o, common);
    if (status < 0)
        status = read_verb(self, &o, argc, argv, &v);
    if (status < 0)
        status = run(self, &o, v, argv, common);
    option_list_free(&o.ops);
    option_list_free(&o.columns);
    return status;
}
