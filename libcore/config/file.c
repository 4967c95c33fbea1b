#include "config/file.h"

#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <string.h>

typedef struct reading {
    const char *file;
    FILE *in;
    int line;    /* of the text read last, from 1 */
    bool failed; /* err is set, read no further */
    error err;   /* without the place */
    bool (*each)(void *arg, int line, const char *name, const char *value, error *e);
    void *arg;
} reading;

/* Gives inih a line without the white space before it, so that none counts as a continuation. The
 * length that inih can take is bounded, and a line that was cut would be read as two. */
static char *next_line(char *line, int room, void *stream)
{
    reading *r = stream;
    if (r->failed)
        return NULL;
    int n = 0, c;
    while ((c = getc(r->in)) != EOF) {
        if (n == 0)
            r->line += 1;
        if (c == '\0') {
            r->failed = true;
            error_set(&r->err, ERR_INVALID_MESSAGE, "this is not a text file");
            return NULL;
        }
        if (n == room - 2) {
            r->failed = true;
            error_set(&r->err, ERR_INVALID_MESSAGE, "the line is longer than %d bytes", room - 2);
            return NULL;
        }
        line[n++] = (char)c;
        if (c == '\n')
            break;
    }
    if (n == 0)
        return NULL;
    line[n] = '\0';
    size_t blank = strspn(line, " \t");
    memmove(line, line + blank, (size_t)n - blank + 1);
    return line;
}

static int pair(void *user, const char *section, const char *name, const char *value)
{
    reading *r = user;
    if (r->failed)
        return 0;
    if (*section && strcmp(section, "rustydb") != 0) {
        error_set(&r->err, ERR_INVALID_MESSAGE, "there is no section [%s], only [rustydb]",
                  section);
        r->failed = true;
    } else if (!r->each(r->arg, r->line, name, value, &r->err)) {
        r->failed = true;
    }
    return !r->failed;
}

/* The error with its place before it. */
static bool placed(const reading *r, int line, error *e)
{
    error_set(e, r->err.code, "%.200s:%d: %.240s", r->file, line, r->err.message);
    if (r->err.hint[0])
        error_hint(e, "%s", r->err.hint);
    return false;
}

bool config_file_read(const char *file,
                      bool (*each)(void *arg, int line, const char *name, const char *value,
                                   error *e),
                      void *arg, error *e)
{
    reading r = {.file = file, .each = each, .arg = arg};
    error_clear(&r.err);
    r.in = fopen(file, "re");
    if (!r.in)
        return error_set(e, ERR_NOT_FOUND, "cannot read %.200s: %s", file, strerror(errno));
    int first_bad = ini_parse_stream(next_line, &r, pair, &r);
    bool unreadable = ferror(r.in);
    int why = errno;
    fclose(r.in);
    if (unreadable)
        return error_set(e, ERR_NOT_FOUND, "cannot read %.200s: %s", file, strerror(why));
    /* inih tells the first line that it, or `pair`, found wrong, and goes on after it. */
    if (first_bad > 0 && (!r.failed || first_bad < r.line)) {
        error_set(&r.err, ERR_INVALID_MESSAGE, "neither \"name = value\" nor \"[rustydb]\"");
        return placed(&r, first_bad, e);
    }
    if (first_bad < 0)
        return error_set(e, ERR_INTERNAL_ERROR, "out of memory while reading %.200s", file);
    return !r.failed || placed(&r, r.line, e);
}
