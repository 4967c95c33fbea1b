/* rustydb connections: who is connected over WebSocket; ends connections. */
#include <string.h>

#include "cli/listing.h"
#include "cli/scan.h"
#include "cli/text.h"
#include "cmd/command.h"

typedef struct connections_options {
    const char *state;
    const char *user;
    int64_t limit;
    int64_t close_code;
    const char *reason;
} connections_options;

static const option options[] = {
    {"state", 0, "STATE", "list: those that are authenticating, open or closing", OPTION_TEXT,
     offsetof(connections_options, state)},
    {"user", 'u', "NAME", "list: those of this user", OPTION_TEXT,
     offsetof(connections_options, user)},
    {"limit", 'n', "N", "list: at most N", OPTION_INT, offsetof(connections_options, limit), 1,
     INT64_MAX},
    {"close-code", 'c', "CODE", "kill: close with this code (default: 1008)", OPTION_INT,
     offsetof(connections_options, close_code), 1000, 4999},
    {"reason", 'r', "TEXT", "kill: and this reason", OPTION_TEXT,
     offsetof(connections_options, reason)},
};

const command_usage usage_connections = {
    .synopsis = "[OPTION...] [list]\n"
                "       rustydb connections [OPTION...] show ID...\n"
                "       rustydb connections [OPTION...] kill ID...",
    .details = "Lists the open WebSocket connections in the order in which they came, shows all\n"
               "that is known of some, or ends them: the client gets the reason and the code.\n"
               "A client that is closed with 1008 (which \"rustydb subscribe\" takes for a\n"
               "refusal) does not come back by itself as a rule; with 1012 or 1013 it does.\n\n"
               "Without --format a list is a table on a terminal (of the main columns; the other\n"
               "formats have all) and csv otherwise; show has a line for each figure.",
    .examples = "  rustydb connections\n"
                "  rustydb connections --state open --format jsonl | jq .user_agent\n"
                "  rustydb connections kill c12 --reason 'maintenance' --close-code 1012",
    .formats = FORMAT_NAMES,
    COMMAND_OPTIONS(options),
};

static const char *const columns[] = {"connection_id",
                                      "remote_address",
                                      "protocol",
                                      "client_certificate",
                                      "peer_uid",
                                      "subprotocol",
                                      "state",
                                      "session_id",
                                      "user_id",
                                      "connected_at",
                                      "last_activity",
                                      "messages_sent",
                                      "messages_received",
                                      "bytes_sent",
                                      "bytes_received",
                                      "bytes_waiting",
                                      "subscription_count",
                                      "subscriptions",
                                      "user_agent",
                                      "metadata",
                                      NULL};
static const char *const brief[] = {
    "connection_id", "remote_address",    "subprotocol",        "state", "user_id", "connected_at",
    "messages_sent", "messages_received", "subscription_count", NULL};
static const listing_kind connections = {"/ws/connections", "connections", "connection_id", columns,
                                         brief};

static const char *const ended_columns[] = {"connection_id", "close_code", "reason", NULL};
static const listing_kind ended = {"/ws/connections", "connections", "connection_id", ended_columns,
                                   ended_columns};

/* ---- list and show -----------------------------------------------------------------------------
 */

static int list_all(client *c, const connections_options *o)
{
    buf filter = BUF_INIT;
    listing_param(&filter, "state", o->state);
    listing_param(&filter, "user_id", o->user);
    int status = listing_list(c, &connections, buf_cstr(&filter), o->limit);
    buf_free(&filter);
    return status;
}

/* ---- kill --------------------------------------------------------------------------------------
 */

static void say_ended(buf *out, scan_text answer)
{
    scan_text v;
    buf id = BUF_INIT;
    int64_t code = 0;
    if (scan_member(answer, "connection_id", &v) && scan_unquote(&id, v) &&
        scan_member(answer, "close_code", &v) && scan_int(v, &code)) {
        text_printable(out, id.data, id.len);
        buf_addf(out, " is closed with %lld\n", (long long)code);
    }
    buf_free(&id);
}

static int end_all(client *c, const connections_options *o, char **ids)
{
    buf query = BUF_INIT;
    if (o->close_code)
        buf_addf(&query, "close_code=%lld", (long long)o->close_code);
    listing_param(&query, "reason", o->reason);
    int status = listing_remove(c, &ended, buf_cstr(&query), ids, say_ended);
    buf_free(&query);
    return status;
}

/* ---- the command -------------------------------------------------------------------------------
 */

typedef enum verb { VERB_LIST, VERB_SHOW, VERB_KILL } verb;

/* What to do, and whether the options and the words fit it. Returns -1 or the exit status. */
static int read_verb(const command *self, const connections_options *o, int argc, char **argv,
                     verb *v)
{
    static const char *const names[] = {"list", "show", "kill"};
    size_t i = 0, n = sizeof names / sizeof *names;
    while (argc > 1 && i < n && strcmp(argv[1], names[i]) != 0)
        i++;
    if (i == n)
        return command_misuse(self, "\"%s\" is not list, show or kill", argv[1]);
    *v = (verb)i;
    if (*v == VERB_LIST && argc > 2)
        return command_misuse(self, "list takes no words");
    if (*v != VERB_LIST && argc < 3)
        return command_misuse(self, "%s needs the id of a connection", names[i]);
    if (*v != VERB_LIST && (o->state || o->user || o->limit))
        return command_misuse(self, "--state, --user and --limit go with list");
    if (*v != VERB_KILL && (o->close_code || o->reason))
        return command_misuse(self, "--close-code and --reason go with kill");
    return -1;
}

int cmd_connections(const command *self, int argc, char **argv, cli_options *common)
{
    connections_options o = {0};
    client c = {0};
    verb v = VERB_LIST;
    int status = command_parse(self, &argc, argv, &o, common);
    if (status < 0)
        status = read_verb(self, &o, argc, argv, &v);
    if (status >= 0)
        return status;
    status = client_open(&c, self->name, common);
    if (status < 0)
        status = client_connect(&c);
    if (status < 0) {
        status = v == VERB_LIST   ? list_all(&c, &o)
                 : v == VERB_SHOW ? listing_show(&c, &connections, argv + 2)
                                  : end_all(&c, &o, argv + 2);
    }
    client_close(&c);
    return status;
}
