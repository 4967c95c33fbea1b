/* rustydb status: what the daemon is and what it is doing. */
#include <string.h>

#include "cli/client.h"
#include "cli/describe.h"
#include "cli/interrupt.h"
#include "cmd/command.h"

typedef struct status_options {
    bool watch;
    int64_t interval_ms;
} status_options;

enum { DEFAULT_INTERVAL_MS = 2000, DEFAULT_TIMEOUT_MS = 10000 };

static const option options[] = {
    {"watch", 'w', NULL, "show it again and again, until Ctrl-C", OPTION_SWITCH,
     offsetof(status_options, watch)},
    {"interval", 'i', "TIME", "pause between two looks with --watch (default: 2s)", OPTION_MS,
     offsetof(status_options, interval_ms)},
};

const command_usage usage_status = {
    .synopsis = "[OPTION...]",
    .details = "Shows the daemon's version, its address and data folder, and what its WebSocket\n"
               "side is doing; with --verbose its limits, libraries and metrics too. --format\n"
               "json gives all of it, one object a look:\n"
               "{\"server\":{...},\"websocket\":{...},\"metrics\":{...}}.",
    .formats = "text json",
    COMMAND_OPTIONS(options),
};

static bool get(client *c, const char *path, buf *answer, error *e)
{
    int64_t timeout = c->common->timeout_ms ? c->common->timeout_ms : DEFAULT_TIMEOUT_MS;
    buf_clear(answer);
    return rest_send(c->rest, &(rest_request){.method = "GET", .path = path, .timeout_ms = timeout},
                     answer, e);
}

static void show_text(client *c, scan_text server, scan_text ws, scan_text metrics)
{
    static const char *const brief[] = {"libraries", "limits", NULL};
    buf *out = &c->out.text;
    const char *bold = c->out.color ? "\033[1m" : "", *plain = c->out.color ? "\033[0m" : "";
    buf_addf(out, "%sserver%s %s\n", bold, plain, c->ep.shown);
    describe_object(out, server, 2, c->common->verbose ? NULL : brief);
    buf_addf(out, "%swebsocket%s\n", bold, plain);
    describe_object(out, ws, 2, NULL);
    if (!c->common->verbose)
        return;
    buf_addf(out, "%smetrics%s\n", bold, plain);
    describe_object(out, metrics, 2, NULL);
}

static void show_json(client *c, scan_text server, scan_text ws, scan_text metrics)
{
    buf *out = &c->out.text;
    buf_adds(out, "{\"server\":");
    buf_add(out, server.p, server.n);
    buf_adds(out, ",\"websocket\":");
    buf_add(out, ws.p, ws.n);
    buf_adds(out, ",\"metrics\":");
    buf_add(out, metrics.p, metrics.n);
    buf_adds(out, "}\n");
}

/* One look. `again`: it is not the first, so the screen is drawn over. */
static bool look(client *c, bool again, error *e)
{
    buf info = BUF_INIT, status = BUF_INIT, figures = BUF_INIT;
    bool json = c->common->format && strcmp(c->common->format, "json") == 0;
    bool good = get(c, "/server/info", &info, e) && get(c, "/ws/status", &status, e) &&
                get(c, "/metrics", &figures, e);
    scan_text server = {0}, ws = {0}, metrics = {0};
    if (good) {
        server = scan_value(info.data ? info.data : "", info.len);
        ws = scan_value(status.data ? status.data : "", status.len);
        scan_member(scan_value(figures.data ? figures.data : "", figures.len), "metrics", &metrics);
        good = scan_kind_of(server) == SCAN_OBJECT && scan_kind_of(ws) == SCAN_OBJECT &&
               scan_kind_of(metrics) == SCAN_OBJECT;
        if (!good)
            error_set(e, ERR_CLIENT_ERROR, "the daemon's answer is not understood");
    }
    if (good && json) {
        show_json(c, server, ws, metrics);
    } else if (good) {
        if (again)
            buf_adds(&c->out.text, c->out.terminal ? "\033[H\033[J" : "\n");
        show_text(c, server, ws, metrics);
    }
    buf_free(&info);
    buf_free(&status);
    buf_free(&figures);
    return output_flush(&c->out) && good;
}

static int watch(client *c, int64_t interval_ms)
{
    error e;
    if (c->out.terminal)
        buf_adds(&c->out.text, "\033[H\033[J");
    for (bool again = false;; again = true) {
        bool good = look(c, again, &e);
        bool lasting = e.code == ERR_CANNOT_CONNECT || e.code == ERR_TIMEOUT ||
                       e.code == ERR_SHUTTING_DOWN || e.code == ERR_BUSY;
        if (!good && (!again || !lasting || c->out.failed))
            return client_fail(c, &e);
        if (!good)
            output_notice(&c->out, "%s", e.message);
        if (!interrupt_sleep((int)interval_ms))
            return client_fail(c, &e);
        output_check_reader();
    }
}

int cmd_status(const command *self, int argc, char **argv, cli_options *common)
{
    error e;
    client c;
    status_options o = {.interval_ms = DEFAULT_INTERVAL_MS};
    int status = command_parse(self, &argc, argv, &o, common);
    if (status >= 0)
        return status;
    if (argc > 1)
        return command_misuse(self, "takes no arguments");
    if (o.interval_ms < 100 || o.interval_ms > 86400000)
        return command_misuse(self, "--interval is 100ms to 1d");
    status = client_open(&c, "status", common);
    if (status < 0)
        status = client_connect(&c);
    if (status < 0 && o.watch)
        status = watch(&c, o.interval_ms);
    else if (status < 0)
        status = look(&c, false, &e) ? EXIT_OK : client_fail(&c, &e);
    client_close(&c);
    return status;
}
