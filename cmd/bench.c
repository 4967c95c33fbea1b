/* rustydb bench: puts load on a daemon and says what it took. */
#include "cmd/command.h"

#include <string.h>

#include "cli/bench/bench.h"
#include "cli/endpoint.h"
#include "cli/interrupt.h"

typedef struct bench_words {
    bench_options o;
    int64_t warmup_ms; /* -1: not given */
} bench_words;

#define AT(member) offsetof(bench_words, o.member)

static const option options[] = {
    {"clients", 'c', "N", "connections that ask or write", OPTION_INT, AT(clients), 1, 10000},
    {"duration", 'd', "TIME", "length of the measured part (default: 5s)", OPTION_MS,
     AT(duration_ms), 0, 0},
    {"warmup", 0, "TIME", "load before that (default: 500ms)", OPTION_MS,
     offsetof(bench_words, warmup_ms), 0, 0},
    {"payload", 0, "BYTES", "text in a row or message", OPTION_INT, AT(payload), 1, 1000000},
    {"subscribers", 's', "N", "connections that listen", OPTION_INT, AT(subscribers), 1, 120000},
    {"in-flight", 'k', "N", "publishes under way at once (fanout)", OPTION_INT, AT(in_flight), 1,
     1024},
    {"rows", 'n', "N", "rows in the table, or of the answer (slowread)", OPTION_INT, AT(rows), 1,
     1000000},
    {"writes", 0, "PERCENT", "share of requests that write (mixed)", OPTION_INT, AT(writes), 1,
     100},
    {"rate", 0, "BYTES", "bytes a second that are read (slowread)", OPTION_INT, AT(rate), 1000,
     1000000000},
    {"topic", 0, "KIND", "channel or table (fanout)", OPTION_TEXT, AT(topic), 0, 0},
    {"via", 0, "WAY", "rest or ws: how messages are published (fanout)", OPTION_TEXT, AT(via), 0,
     0},
    {"where", 0, "KIND", "equal (column = value) or other (filters)", OPTION_TEXT, AT(where), 0, 0},
    {"deflate", 0, NULL, "subscribers offer permessage-deflate (messages of 1 KB and more)",
     OPTION_SWITCH, AT(deflate), 0, 0},
    {"spin", 0, NULL, "never sleep, so that the server does not pay for waking the generator",
     OPTION_SWITCH, AT(spin), 0, 0},
    {"pid", 0, "PID", "process to measure (default: the daemon, where it is local)", OPTION_INT,
     AT(pid), 1, 1 << 22},
    {"target", 0, "URL", "GET that address of any server instead (read)", OPTION_TEXT, AT(target),
     0, 0},
    {"publish-url", 0, "URL", "POST messages to that address of any server instead (fanout)",
     OPTION_TEXT, AT(publish_url), 0, 0},
    {"subscribe-url", 0, "URL", "and listen to them at that one (fanout, connect)", OPTION_TEXT,
     AT(subscribe_url), 0, 0},
};

const command_usage usage_bench = {
    .synopsis = "[OPTION...] SCENARIO",
    .details =
        "Scenarios:\n\n"
#define SCENARIO(name, summary, ...) "  " #name "\n        " summary "\n"
#include "cli/bench/scenarios.def"
#undef SCENARIO
        "\n"
        "The tables it makes are named bench_* and are dropped at the end. Over https:// "
        "the server is not verified. Where the daemon runs on this machine, its CPU time and "
        "memory are "
        "measured too.\n\n"
        "With --target, or --publish-url and --subscribe-url, the same load goes to any other "
        "server, for comparison.",
    .examples = "  rustydb bench read --clients 64 --duration 10s\n"
                "  rustydb bench fanout --subscribers 1000 --in-flight 8 --format json\n"
                "  rustydb bench read --target http://127.0.0.1/index.html --pid \"$(pgrep -n "
                "nginx)\"",
    .formats = "text json",
    COMMAND_OPTIONS(options)};

static bool is_one_of(const char *word, const char *a, const char *b)
{
    return !word || strcmp(word, a) == 0 || strcmp(word, b) == 0;
}

static int check(const command *self, const bench_options *o)
{
    if (!is_one_of(o->topic, "channel", "table"))
        return command_misuse(self, "--topic is channel or table, not \"%s\"", o->topic);
    if (!is_one_of(o->via, "rest", "ws"))
        return command_misuse(self, "--via is rest or ws, not \"%s\"", o->via);
    if (!is_one_of(o->where, "equal", "other"))
        return command_misuse(self, "--where is equal or other, not \"%s\"", o->where);
    if (o->duration_ms > 3600000 || o->warmup_ms > 3600000)
        return command_misuse(self, "an hour is the most");
    return -1;
}

static void print(const bench_report *report, bool json)
{
    buf out = BUF_INIT;
    if (json)
        bench_report_json(report, &out);
    else
        bench_report_text(report, &out);
    fwrite(out.data, 1, out.len, stdout);
    buf_free(&out);
}

/* Runs the scenario against the daemon that the common options name. */
static int run(const command *self, const bench_scenario *scenario, const bench_options *o,
               const cli_options *common)
{
    endpoint ep;
    error e;
    error_clear(&e);
    bool good = endpoint_resolve(&ep, common, &e);
    if (good && ep.unix_path)
        good = error_set(&e, ERR_INVALID_MESSAGE, "load goes over TCP, not over a Unix socket");
    bench_report report = {0};
    if (good) {
        interrupt_arm();
        interrupt_notify(bench_interrupt);
        good = bench_execute(scenario, o, ep.base, ep.token, &report, &e);
    }
    if (!good && e.code == ERR_AUTH_REQUIRED)
        endpoint_hint_token(&ep, &e);
    endpoint_free(&ep);
    if (!good)
        return command_fail(self, &e);
    print(&report, common->format && strcmp(common->format, "json") == 0);
    return EXIT_OK;
}

int cmd_bench(const command *self, int argc, char **argv, cli_options *common)
{
    bench_words words = {.warmup_ms = -1};
    int status = command_parse(self, &argc, argv, &words, common);
    if (status >= 0)
        return status;
    if (argc != 2)
        return command_misuse(self, argc < 2 ? "which scenario?" : "one scenario at a time");
    const bench_scenario *scenario = bench_scenario_find(argv[1]);
    if (!scenario)
        return command_misuse(self, "there is no scenario \"%s\"", argv[1]);
    words.o.warmup_ms = words.warmup_ms >= 0 ? words.warmup_ms : 500;
    if ((status = check(self, &words.o)) >= 0)
        return status;
    return run(self, scenario, &words.o, common);
}
