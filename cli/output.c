#include "cli/output.h"

#include <errno.h>
#include <inttypes.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/text.h"

void output_init(output *o, const cli_options *common)
{
    setlocale(LC_CTYPE, "");
    bool err_terminal = isatty(STDERR_FILENO);
    *o = (output){
        .terminal = isatty(STDOUT_FILENO),
        .utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
        .notices = !common->quiet && (err_terminal || common->verbose > 0),
        .progress = !common->quiet && err_terminal,
    };
    o->color = o->terminal && !common->no_color;
    o->err_color = err_terminal && !common->no_color;
}

static void die_quietly(void)
{
    signal(SIGPIPE, SIG_DFL);
    raise(SIGPIPE);
    _exit(128 + SIGPIPE); /* only where SIGPIPE is blocked */
}

bool output_flush(output *o)
{
    size_t at = 0;
    if (o->text.failed && !o->failed) {
        o->failed = true;
        fputs("rustydb: out of memory for the output\n", stderr);
    }
    while (!o->failed && at < o->text.len) {
        ssize_t n = write(STDOUT_FILENO, o->text.data + at, o->text.len - at);
        if (n >= 0) {
            at += (size_t)n;
        } else if (errno == EPIPE) {
            die_quietly();
        } else if (errno == EAGAIN) {
            struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};
            poll(&p, 1, -1);
        } else if (errno != EINTR) {
            o->failed = true;
            fprintf(stderr, "rustydb: cannot write to standard output: %s\n", strerror(errno));
        }
    }
    buf_clear(&o->text);
    return !o->failed;
}

void output_check_reader(void)
{
    struct pollfd p = {.fd = STDOUT_FILENO};
    if (poll(&p, 1, 0) == 1 && (p.revents & POLLERR))
        die_quietly();
}

void output_free(output *o)
{
    buf_free(&o->text);
}

void output_notice(const output *o, const char *fmt, ...)
{
    if (!o->notices)
        return;
    va_list ap;
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
}

/* The line of the SQL in which the error is, with a caret under the place. A long line is shown in
 * part. */
static void add_caret(buf *out, const char *sql, size_t at, int64_t first_line)
{
    enum { BEFORE = 60, AFTER = 40 };
    size_t n = strlen(sql), from = at, to = at;
    int64_t line = first_line;
    while (from > 0 && sql[from - 1] != '\n')
        from--;
    while (to < n && sql[to] != '\n')
        to++;
    for (size_t i = 0; i < from; i++)
        line += sql[i] == '\n';
    bool cut_front = at - from > BEFORE, cut_back = to - at > AFTER;
    if (cut_front)
        from = at - BEFORE;
    if (cut_back)
        to = at + AFTER;
    while (cut_front && ((unsigned char)sql[from] & 0xC0) == 0x80)
        from++;
    while (cut_back && ((unsigned char)sql[to] & 0xC0) == 0x80)
        to--;
    size_t start = out->len;
    buf_addf(out, "%5" PRId64 " | %s", line, cut_front ? "..." : "");
    int indent = (int)(out->len - start);
    size_t begin = out->len;
    text_printable(out, sql + from, at - from);
    indent += text_width(out->data + begin, out->len - begin);
    text_printable(out, sql + at, to - at);
    buf_adds(out, cut_back ? "...\n" : "\n");
    buf_addf(out, "%*s^\n", indent, "");
}

static void add_place(buf *out, const error *e, const output_place *place)
{
    if (place->number > 0 || place->file) {
        buf_addf(out, "  in statement %d, line %" PRId64, place->number, place->line);
        buf_addf(out, place->file ? " of %s\n" : "\n", place->file);
    }
    if (e->position >= 0 && (uint64_t)e->position <= strlen(place->sql))
        add_caret(out, place->sql, (size_t)e->position, place->line);
}

int output_error(const output *o, const char *command, const error *e, const output_place *place)
{
    buf out = BUF_INIT;
    const char *bold = o->err_color ? "\033[1;31m" : "", *plain = o->err_color ? "\033[0m" : "";
    buf_addf(&out, "%srustydb %s:%s ", bold, command, plain);
    text_printable(&out, e->message, strlen(e->message));
    if (e->code == ERR_CLIENT_ERROR || e->code == ERR_CANNOT_CONNECT)
        buf_addc(&out, '\n');
    else
        buf_addf(&out, " (%s)\n", error_describe(e->code)->name);
    if (place && place->sql)
        add_place(&out, e, place);
    if (e->hint[0]) {
        buf_adds(&out, "  hint: ");
        text_printable(&out, e->hint, strlen(e->hint));
        buf_addc(&out, '\n');
    }
    fwrite(out.data, 1, out.len, stderr);
    buf_free(&out);
    return error_describe(e->code)->exit_code;
}
