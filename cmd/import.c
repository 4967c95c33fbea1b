/* rustydb import: streams a file into a table. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/client.h"
#include "cli/interrupt.h"
#include "cli/progress.h"
#include "cli/scan.h"
#include "cli/sniff.h"
#include "cli/text.h"
#include "cmd/command.h"

typedef struct import_options {
    const char *at;
    const char *input;
    bool create;
    bool atomic;
} import_options;

static const option options[] = {
    {"at", 0, "JSON-POINTER", "where in a JSON document the rows are, such as /data/rows",
     OPTION_TEXT, offsetof(import_options, at)},
    {"create", 0, NULL, "make the table if it is not there, with types as the first rows suggest",
     OPTION_SWITCH, offsetof(import_options, create)},
    {"input", 'i', "FORMAT",
     "json, jsonl or csv (default: by the file's name, else by how it begins)", OPTION_TEXT,
     offsetof(import_options, input)},
    {"atomic", 0, NULL, "all rows or none (the daemon limits the size)", OPTION_SWITCH,
     offsetof(import_options, atomic)},
};

const command_usage usage_import = {
    .synopsis = "[OPTION...] TABLE FILE|-",
    .details = "Streams the rows of FILE, or of standard input, into TABLE: an array of JSON\n"
               "objects, JSON objects one a line, or CSV whose first line names the columns.\n"
               "Rows are committed in portions; when one is refused, the message says how many\n"
               "rows were kept. --atomic keeps all or none.",
    .examples = "  rustydb import countries /usr/share/iso-codes/json/iso_3166-1.json --at /3166-1 "
                "--create\n"
                "  zcat log.csv.gz | rustydb import log - --input csv",
    .formats = "text json",
    COMMAND_OPTIONS(options),
};

enum { HEAD_BYTES = 65536 };

/* One run of the command. */
typedef struct import_run {
    client c;
    int fd;
    const char *table, *name; /* of the file */
    char head[HEAD_BYTES];    /* the beginning of the data, read to see what it is */
    size_t head_len, head_at; /* bytes in it, bytes of it sent */
    int64_t size;             /* of all data, -1 when not known */
    progress progress;
    error e; /* why it failed */
} import_run;

static bool read_head(import_run *r)
{
    while (r->head_len < HEAD_BYTES) {
        ssize_t n = read(r->fd, r->head + r->head_len, HEAD_BYTES - r->head_len);
        if (n < 0 && errno == EINTR && !interrupted())
            continue;
        if (n < 0)
            return false;
        if (n == 0)
            break;
        r->head_len += (size_t)n;
    }
    return true;
}

/* For libcurl: first what was read to see what it is, then the rest. */
static long read_more(void *arg, char *to, size_t room)
{
    import_run *r = arg;
    ssize_t n;
    if (r->head_at < r->head_len) {
        size_t left = r->head_len - r->head_at;
        n = (ssize_t)(left < room ? left : room);
        memcpy(to, r->head + r->head_at, (size_t)n);
        r->head_at += (size_t)n;
    } else {
        do
            n = read(r->fd, to, room);
        while (n < 0 && errno == EINTR && !interrupted());
    }
    if (n < 0) {
        error_set(&r->e, ERR_INVALID_MESSAGE, "cannot read %s: %s", r->name, strerror(errno));
        return -1;
    }
    progress_add(&r->progress, n);
    return n;
}

static void on_idle(void *arg)
{
    import_run *r = arg;
    progress_add(&r->progress, 0);
}

static void write_path(buf *path, const import_options *o, const import_run *r)
{
    const char *format =
        o->input ? o->input : sniff_format(r->name, o->at != NULL, r->head, r->head_len);
    buf_adds(path, "/import/");
    rest_escape(path, r->table);
    buf_addf(path, "?format=%s", format);
    if (o->at) {
        buf_adds(path, "&at=");
        rest_escape(path, o->at);
    }
    buf_adds(path, o->create ? "&create=true" : "");
    buf_adds(path, o->atomic ? "&atomic=true" : "");
}

static void show(import_run *r, scan_text answer)
{
    buf *out = &r->c.out.text;
    scan_text v;
    int64_t rows = 0;
    if (r->c.common->format && strcmp(r->c.common->format, "json") == 0) {
        buf_add(out, answer.p, answer.n);
        buf_addc(out, '\n');
        return;
    }
    if (r->c.common->quiet)
        return;
    if (scan_member(answer, "rows", &v))
        scan_int(v, &rows);
    buf_addf(out, "%" PRId64 " row%s into table ", rows, rows == 1 ? "" : "s");
    text_printable(out, r->table, strlen(r->table));
    buf_addc(out, '\n');
}

static int fail(const import_run *r)
{
    const error *e = &r->e;
    int status = client_fail(&r->c, e);
    if (e->detail > 0)
        fprintf(stderr, "  %" PRId64 " row%s were kept\n", e->detail, e->detail == 1 ? "" : "s");
    return status;
}

static int run(import_run *r, const import_options *o)
{
    buf path = BUF_INIT, answer = BUF_INIT;
    error_clear(&r->e);
    write_path(&path, o, r);
    progress_start(&r->progress, &r->c.out, r->table, r->size);
    bool good = rest_send(r->c.rest,
                          &(rest_request){.method = "POST",
                                          .path = buf_cstr(&path),
                                          .type = "application/octet-stream",
                                          .read = read_more,
                                          .body_size = r->size,
                                          .idle = on_idle,
                                          .arg = r,
                                          .timeout_ms = r->c.common->timeout_ms},
                          &answer, &r->e);
    progress_end(&r->progress);
    if (good)
        show(r, scan_value(answer.data ? answer.data : "", answer.len));
    good = output_flush(&r->c.out) && good;
    buf_free(&path);
    buf_free(&answer);
    return good ? EXIT_OK : fail(r);
}

static int open_file(import_run *r, const command *self)
{
    struct stat st;
    bool standard = strcmp(r->name, "-") == 0;
    r->fd = standard ? STDIN_FILENO : open(r->name, O_RDONLY | O_CLOEXEC);
    if (standard)
        r->name = "standard input";
    if (r->fd < 0 || fstat(r->fd, &st) != 0 || !read_head(r))
        return command_misuse(self, "cannot read %s: %s", r->name, strerror(errno));
    off_t at = S_ISREG(st.st_mode) ? lseek(r->fd, 0, SEEK_CUR) : -1;
    r->size = at >= 0 && st.st_size >= at ? st.st_size - at + (off_t)r->head_len : -1;
    return -1;
}

int cmd_import(const command *self, int argc, char **argv, cli_options *common)
{
    import_options o = {0};
    import_run r = {.fd = -1};
    int status = command_parse(self, &argc, argv, &o, common);
    if (status >= 0)
        return status;
    if (argc != 3)
        return command_misuse(self, "needs a table and a file (- for standard input)");
    if (o.input && strcmp(o.input, "json") != 0 && strcmp(o.input, "jsonl") != 0 &&
        strcmp(o.input, "csv") != 0)
        return command_misuse(self, "--input is json, jsonl or csv, not \"%s\"", o.input);
    r.table = argv[1];
    r.name = argv[2];
    status = client_open(&r.c, "import", common);
    if (status < 0)
        status = open_file(&r, self);
    if (status < 0)
        status = client_connect(&r.c);
    if (status < 0)
        status = run(&r, &o);
    if (r.fd > STDIN_FILENO)
        close(r.fd);
    client_close(&r.c);
    return status;
}
