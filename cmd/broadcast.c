/* rustydb broadcast: sends a message to everyone connected, or to the listeners of a channel. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cli/client.h"
#include "cli/scan.h"
#include "cli/text.h"
#include "cmd/command.h"
#include "json/read.h"
#include "json/writer.h"

typedef struct broadcast_options {
    const char *channel;
    const char *event;
    option_list to;
    const char *user;
} broadcast_options;

enum { MAX_MESSAGE = 64 << 20 };

static const option options[] = {
    {"channel", 'c', "CHANNEL", "only to those who listen to this channel", OPTION_TEXT,
     offsetof(broadcast_options, channel)},
    {"event", 'e', "EVENT", "name of the event, for its receivers", OPTION_TEXT,
     offsetof(broadcast_options, event)},
    {"to", 0, "ID", "only to this connection (may be given again for more)", OPTION_LIST,
     offsetof(broadcast_options, to)},
    {"user", 'u', "NAME", "only to this user's connections", OPTION_TEXT,
     offsetof(broadcast_options, user)},
};

const command_usage usage_broadcast = {
    .synopsis = "[OPTION...] MESSAGE|-",
    .details = "Sends a message to everyone connected over WebSocket, or with -c to the\n"
               "listeners of a channel (\"rustydb subscribe channel:NAME\"), and says how many\n"
               "received it. --to and --user choose among these; \"rustydb connections\" lists\n"
               "the ids. With - the message is standard input. It travels as JSON when it\n"
               "is JSON, and else as text, without the line end behind it.",
    .examples = "  rustydb broadcast 'maintenance in 5 minutes'\n"
                "  rustydb broadcast -c orders -e shipped '{\"id\": 7}'\n"
                "  rustydb broadcast --to c12 'please log out'",
    .formats = "text json",
    COMMAND_OPTIONS(options),
};

/* The message as text into `out`. Returns -1, or the exit status after a complaint. */
static int read_message(const command *self, const char *word, buf *out)
{
    enum { BLOCK = 65536 };
    char block[BLOCK];
    ssize_t n;
    if (strcmp(word, "-") != 0) {
        buf_adds(out, word);
        return -1;
    }
    out->limit = MAX_MESSAGE;
    while ((n = read(STDIN_FILENO, block, sizeof block)) > 0)
        buf_add(out, block, (size_t)n);
    if (n < 0)
        return command_misuse(self, "cannot read standard input: %s", strerror(errno));
    if (out->failed)
        return command_misuse(self, "the message is longer than %d bytes", MAX_MESSAGE);
    if (out->len > 0 && out->data[out->len - 1] == '\n')
        out->len--;
    return -1;
}

static void write_body(buf *body, const broadcast_options *o, bool list, const buf *message)
{
    json_writer w;
    error e;
    jw_init(&w, body);
    jw_begin_object(&w);
    jw_key(&w, "message");
    json_t *tree = json_read_text(message->data ? message->data : "", message->len, &e);
    if (tree && !json_is_string(tree))
        jw_raw(&w, message->data, message->len);
    else
        jw_strn(&w, message->data ? message->data : "", message->len);
    json_decref(tree);
    if (o->channel) {
        jw_key(&w, "channel");
        jw_str(&w, o->channel);
    }
    if (o->event) {
        jw_key(&w, "event");
        jw_str(&w, o->event);
    }
    if (o->to.n) {
        jw_key(&w, "target_connections");
        jw_begin_array(&w);
        for (int i = 0; i < o->to.n; i++)
            jw_str(&w, o->to.items[i].value);
        jw_end_array(&w);
    }
    if (o->user) {
        jw_key(&w, "user_id");
        jw_str(&w, o->user);
    }
    if (list) {
        jw_key(&w, "list_connections");
        jw_bool(&w, true);
    }
    jw_end_object(&w);
}

static bool shows_json(const client *c)
{
    return c->common->format && strcmp(c->common->format, "json") == 0;
}

static void show(client *c, const broadcast_options *o, scan_text answer)
{
    buf *out = &c->out.text;
    scan_text v;
    int64_t delivered = 0;
    if (shows_json(c)) {
        buf_add(out, answer.p, answer.n);
        buf_addc(out, '\n');
    } else if (scan_member(answer, "delivered", &v) && scan_int(v, &delivered) &&
               !c->common->quiet) {
        buf_addf(out, "received by %lld", (long long)delivered);
        buf_adds(out, o->channel ? " on channel " : "");
        text_printable(out, o->channel ? o->channel : "", o->channel ? strlen(o->channel) : 0);
        buf_addc(out, '\n');
    }
}

static int send_message(client *c, const broadcast_options *o, const buf *message)
{
    buf body = BUF_INIT, answer = BUF_INIT;
    error e;
    write_body(&body, o, shows_json(c), message);
    bool good = rest_send(c->rest,
                          &(rest_request){.method = "POST",
                                          .path = "/ws/broadcast",
                                          .body = body.data,
                                          .body_len = body.len,
                                          .timeout_ms = c->common->timeout_ms},
                          &answer, &e);
    if (good)
        show(c, o, scan_value(answer.data ? answer.data : "", answer.len));
    good = output_flush(&c->out) && good;
    buf_free(&body);
    buf_free(&answer);
    return good ? EXIT_OK : client_fail(c, &e);
}

int cmd_broadcast(const command *self, int argc, char **argv, cli_options *common)
{
    broadcast_options o = {0};
    buf message = BUF_INIT;
    client c = {0};
    int status = command_parse(self, &argc, argv, &o, common);
    if (status < 0 && argc != 2)
        status = command_misuse(self, argc < 2 ? "needs a message" : "takes one message; quote it");
    if (status < 0)
        status = read_message(self, argv[1], &message);
    if (status < 0 && !text_valid_utf8(message.data ? message.data : "", message.len))
        status = command_misuse(self, "the message is not valid UTF-8");
    if (status < 0)
        status = client_open(&c, "broadcast", common);
    if (status < 0)
        status = client_connect(&c);
    if (status < 0)
        status = send_message(&c, &o, &message);
    client_close(&c);
    option_list_free(&o.to);
    buf_free(&message);
    return status;
}
