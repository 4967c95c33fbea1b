/* rustydb audit: who did what of importance; whether the log of it is whole. */
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "audit/chain.h"
#include "audit/files.h"
#include "cli/listing.h"
#include "cli/scan.h"
#include "cli/text.h"
#include "cmd/command.h"

typedef struct audit_options {
    const char *since, *until, *user, *action, *outcome;
    int64_t limit;
    const char *file;
} audit_options;

static const option options[] = {
    {"since", 0, "TIME", "list, export: records of this time or later", OPTION_TEXT,
     offsetof(audit_options, since)},
    {"until", 0, "TIME", "list, export: records of this time or earlier", OPTION_TEXT,
     offsetof(audit_options, until)},
    {"user", 'u', "NAME", "list, export: what this user did", OPTION_TEXT,
     offsetof(audit_options, user)},
    {"action", 'a', "NAME", "list, export: this action, such as auth.failed", OPTION_TEXT,
     offsetof(audit_options, action)},
    {"outcome", 'o', "WORD", "list, export: what was done (ok), or refused", OPTION_TEXT,
     offsetof(audit_options, outcome)},
    {"limit", 'n', "N", "list: the newest N (default: 100)", OPTION_INT,
     offsetof(audit_options, limit), 1, INT64_MAX},
    {"file", 0, "PATH", "verify: this file, or the log in this folder, without a daemon",
     OPTION_TEXT, offsetof(audit_options, file)},
};

const command_usage usage_audit = {
    .synopsis = "[OPTION...] [list]\n"
                "       rustydb audit [OPTION...] export\n"
                "       rustydb audit [OPTION...] verify",
    .details =
        "Lists the records of the audit log, newest first; writes all of them, oldest first,\n"
        "as lines of JSON; or verifies the log: each record has the hash of the one before,\n"
        "so what was changed, removed or put elsewhere is found, and the end is held against\n"
        "what the daemon remembers. With --file the end cannot be: what was cut off there\n"
        "shows only in the number and hash of the last record, which are printed.\n\n"
        "TIME is RFC 3339 (2026-01-02T03:04:05Z) or a date. verify ends with 5 when the log\n"
        "is not whole. list shows the main columns on a terminal; the other formats have all.",
    .examples = "  rustydb audit --outcome refused --since 2026-01-02\n"
                "  rustydb audit export | jq -r 'select(.action == \"auth.failed\") | .address'\n"
                "  rustydb audit verify --file ./rustydb-data",
    .formats = FORMAT_NAMES,
    COMMAND_OPTIONS(options),
};

enum { LIST_DEFAULT = 100, EXIT_BROKEN = 5 };

static const char *const columns[] = {"n",      "time", "action",  "outcome", "code",
                                      "user",   "kind", "address", "target",  "request_id",
                                      "detail", "prev", NULL};
static const char *const brief[] = {"n",    "time",    "action", "outcome",
                                    "user", "address", "target", NULL};
static const listing_kind records = {"/admin/audit", "records", "n", columns, brief};

static void put_filter(buf *query, const audit_options *o)
{
    listing_param(query, "since", o->since);
    listing_param(query, "until", o->until);
    listing_param(query, "user", o->user);
    listing_param(query, "action", o->action);
    listing_param(query, "outcome", o->outcome);
}

static int list_records(client *c, const audit_options *o)
{
    buf filter = BUF_INIT;
    put_filter(&filter, o);
    int status = listing_list(c, &records, buf_cstr(&filter), o->limit ? o->limit : LIST_DEFAULT);
    buf_free(&filter);
    return status;
}

/* ---- export ------------------------------------------------------------------------------------
 */

static bool pass_on(void *arg, const char *p, size_t n)
{
    client *c = arg;
    buf_add(&c->out.text, p, n);
    return output_flush(&c->out);
}

static int export_records(client *c, const audit_options *o)
{
    error e;
    buf path = BUF_INIT, query = BUF_INIT;
    put_filter(&query, o);
    buf_addf(&path, "/admin/audit/export%s%s", query.len ? "?" : "", buf_cstr(&query));
    bool good = rest_send(c->rest,
                          &(rest_request){.method = "GET",
                                          .path = buf_cstr(&path),
                                          .accept = "application/x-ndjson",
                                          .data = pass_on,
                                          .arg = c,
                                          .timeout_ms = c->common->timeout_ms},
                          NULL, &e);
    buf_free(&path);
    buf_free(&query);
    return good ? EXIT_OK : client_fail(c, &e);
}

/* ---- verify by the daemon ----------------------------------------------------------------------
 */

static bool get(client *c, const char *method, const char *path, buf *answer, error *e)
{
    buf_clear(answer);
    return rest_send(
        c->rest,
        &(rest_request){.method = method, .path = path, .timeout_ms = c->common->timeout_ms},
        answer, e);
}

static bool not_understood(error *e)
{
    return error_set(e, ERR_CLIENT_ERROR, "the daemon's answer is not understood");
}

static bool member_is(scan_text object, const char *name, const char *text)
{
    scan_text v;
    return scan_member(object, name, &v) && v.n == strlen(text) && memcmp(v.p, text, v.n) == 0;
}

/* Waits for the job in `answer` to end; its last description is there then. */
static bool wait_job(client *c, buf *answer, error *e)
{
    buf path = BUF_INIT, id = BUF_INIT;
    scan_text v, job = scan_value(answer->data ? answer->data : "", answer->len);
    bool good = (scan_member(job, "id", &v) && scan_unquote(&id, v)) || not_understood(e);
    buf_adds(&path, "/admin/jobs/");
    rest_escape(&path, buf_cstr(&id));
    struct timespec pause = {.tv_nsec = 20000000};
    while (good &&
           (member_is(job, "state", "\"queued\"") || member_is(job, "state", "\"running\""))) {
        nanosleep(&pause, NULL);
        if (pause.tv_nsec < 500000000)
            pause.tv_nsec *= 2;
        good = get(c, "GET", buf_cstr(&path), answer, e);
        job = scan_value(answer->data ? answer->data : "", answer->len);
    }
    buf_free(&path);
    buf_free(&id);
    return good;
}

static void put_member(buf *out, scan_text object, const char *name)
{
    scan_text v;
    buf text = BUF_INIT;
    if (scan_member(object, name, &v) && scan_kind_of(v) == SCAN_STRING && scan_unquote(&text, v))
        text_printable(out, text.data, text.len);
    else if (scan_member(object, name, &v))
        text_printable(out, v.p, v.n);
    buf_free(&text);
}

static void say_faults(buf *out, scan_text verdict)
{
    scan_text faults, fault;
    scan_items it;
    if (!scan_member(verdict, "faults", &faults) || !scan_enter(&it, faults))
        return;
    while (scan_next(&it, NULL, &fault)) {
        buf_adds(out, "file ");
        put_member(out, fault, "file");
        buf_adds(out, ", line ");
        put_member(out, fault, "line");
        buf_adds(out, ": ");
        put_member(out, fault, "message");
        buf_addc(out, '\n');
    }
}

static int say_verdict(client *c, scan_text verdict)
{
    bool whole = member_is(verdict, "ok", "true");
    buf *out = &c->out.text;
    if (c->common->format) {
        buf_add(out, verdict.p, verdict.n);
        buf_addc(out, '\n');
    } else {
        say_faults(out, verdict);
        buf_adds(out, whole ? "the audit log is whole: records "
                            : "THE AUDIT LOG IS NOT WHOLE: records ");
        put_member(out, verdict, "first");
        buf_adds(out, " to ");
        put_member(out, verdict, "last");
        buf_adds(out, ", the last with hash ");
        put_member(out, verdict, "last_hash");
        buf_addc(out, '\n');
    }
    if (!output_flush(&c->out))
        return EXIT_OUTPUT;
    return whole ? EXIT_OK : EXIT_BROKEN;
}

static int verify_by_daemon(client *c)
{
    error e;
    buf answer = BUF_INIT;
    scan_text verdict;
    int status;
    if (!get(c, "POST", "/admin/audit/verify", &answer, &e) || !wait_job(c, &answer, &e)) {
        status = client_fail(c, &e);
    } else if (!scan_member(scan_value(answer.data, answer.len), "result", &verdict) ||
               scan_kind_of(verdict) != SCAN_OBJECT) {
        error_set(&e, ERR_CLIENT_ERROR, "the log could not be verified: %.200s", buf_cstr(&answer));
        status = client_fail(c, &e);
    } else {
        status = say_verdict(c, verdict);
    }
    buf_free(&answer);
    return status;
}

/* ---- verify a file -----------------------------------------------------------------------------
 */

static void print_fault(void *arg, const audit_fault *f)
{
    (void)arg;
    if (f->file)
        printf("audit.log.%lld, ", (long long)f->file);
    printf("line %lld: %s\n", (long long)f->line, f->text);
}

static bool check_line(void *arg, const char *p, size_t n, int64_t at)
{
    (void)at;
    audit_chain_line(arg, p, n);
    return true;
}

static bool check_files(audit_chain *chain, const audit_files *files, error *e)
{
    int64_t torn;
    for (int i = 0; i < files->n; i++) {
        const audit_file *f = &files->all[i];
        audit_chain_file(chain, f->number);
        if (!audit_file_lines(f->fd, 0, f->size, check_line, chain, &torn, e))
            return false;
        if (torn)
            audit_chain_torn(chain);
    }
    audit_chain_end(chain);
    return true;
}

static bool open_files(const char *path, audit_files *files, error *e)
{
    struct stat st;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return audit_files_open(path, files, e);
    return audit_files_open_one(path, files, e);
}

static int verify_files(const command *self, const char *path)
{
    audit_files files;
    audit_chain chain = {.fault = print_fault};
    char hash[2 * AUDIT_HASH + 1];
    error e;
    if (!open_files(path, &files, &e))
        return command_fail(self, &e);
    bool read = check_files(&chain, &files, &e);
    audit_files_close(&files);
    if (!read)
        return command_fail(self, &e);
    if (!chain.begun) {
        error_set(&e, ERR_NOT_FOUND, "there is no audit log at %.300s", path);
        return command_fail(self, &e);
    }
    audit_hash_text(chain.record.hash, hash);
    printf("%s: records %lld to %lld, the last with hash %s\n",
           chain.faults ? "THE AUDIT LOG IS NOT WHOLE" : "whole, as far as it goes",
           (long long)chain.first, (long long)chain.record.n, hash);
    return chain.faults ? EXIT_BROKEN : EXIT_OK;
}

/* ---- the command -------------------------------------------------------------------------------
 */

typedef enum verb { VERB_LIST, VERB_EXPORT, VERB_VERIFY } verb;

/* Returns -1 or the exit status. */
static int read_verb(const command *self, const audit_options *o, int argc, char **argv, verb *v)
{
    static const char *const names[] = {"list", "export", "verify"};
    size_t i = 0, n = sizeof names / sizeof *names;
    while (argc > 1 && i < n && strcmp(argv[1], names[i]) != 0)
        i++;
    if (i == n)
        return command_misuse(self, "\"%s\" is not list, export or verify", argv[1]);
    *v = (verb)i;
    if (argc > 2)
        return command_misuse(self, "%s takes no words", names[i]);
    if (*v == VERB_VERIFY && (o->since || o->until || o->user || o->action || o->outcome))
        return command_misuse(self, "verify looks at all records");
    if (*v != VERB_LIST && o->limit)
        return command_misuse(self, "--limit goes with list");
    if (*v != VERB_VERIFY && o->file)
        return command_misuse(self, "--file goes with verify");
    return -1;
}

int cmd_audit(const command *self, int argc, char **argv, cli_options *common)
{
    audit_options o = {0};
    client c = {0};
    verb v = VERB_LIST;
    int status = command_parse(self, &argc, argv, &o, common);
    if (status < 0)
        status = read_verb(self, &o, argc, argv, &v);
    if (status < 0 && o.file)
        status = verify_files(self, o.file);
    if (status >= 0)
        return status;
    status = client_open(&c, self->name, common);
    if (status < 0)
        status = client_connect(&c);
    if (status < 0) {
        status = v == VERB_LIST     ? list_records(&c, &o)
                 : v == VERB_EXPORT ? export_records(&c, &o)
                                    : verify_by_daemon(&c);
    }
    client_close(&c);
    return status;
}
