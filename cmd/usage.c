/* Help texts and suggestions, made from the tables of commands and options. */
#include "cmd/command.h"

#include <stdarg.h>
#include <string.h>

enum { NAME_MAX_BYTES = 64, OPTION_COLUMN = 30, WIDTH = 100 };

/* ---- laying out -------------------------------------------------------------------------------
 */

/* Prints text behind `at` columns, broken at spaces, further lines starting at OPTION_COLUMN. */
static void wrap(FILE *out, int at, const char *text)
{
    if (at >= OPTION_COLUMN) {
        fputc('\n', out);
        at = 0;
    }
    fprintf(out, "%*s", OPTION_COLUMN - at, "");
    int column = OPTION_COLUMN;
    while (*text) {
        int word = (int)strcspn(text, " ");
        if (column > OPTION_COLUMN && column + 1 + word > WIDTH) {
            fprintf(out, "\n%*s", OPTION_COLUMN, "");
            column = OPTION_COLUMN;
        } else if (column > OPTION_COLUMN) {
            fputc(' ', out);
            column++;
        }
        fprintf(out, "%.*s", word, text);
        column += word;
        text += word;
        text += strspn(text, " ");
    }
    fputc('\n', out);
}

static void dashed(char *to, size_t room, const char *name)
{
    snprintf(to, room, "%s", name);
    for (; *to; to++) {
        if (*to == '_')
            *to = '-';
    }
}

static void print_option(FILE *out, const option *o)
{
    char name[NAME_MAX_BYTES], left[2 * NAME_MAX_BYTES];
    dashed(name, sizeof name, o->name);
    char letter[] = "    ";
    if (o->letter)
        snprintf(letter, sizeof letter, "-%c, ", o->letter);
    int n = snprintf(left, sizeof left, "  %s--%s%s%s ", letter, name, o->arg ? " " : "",
                     o->arg ? o->arg : "");
    fputs(left, out);
    wrap(out, n, o->help);
}

/* Options that only make sense with a daemon to talk to. */
static bool about_connection(const option *o)
{
    return o->offset == offsetof(cli_options, url) || o->offset == offsetof(cli_options, token) ||
           o->offset == offsetof(cli_options, cacert) || o->offset == offsetof(cli_options, cert) ||
           o->offset == offsetof(cli_options, key) ||
           o->offset == offsetof(cli_options, insecure) ||
           o->offset == offsetof(cli_options, timeout_ms);
}

static bool shown_for(const command *self, const option *o)
{
    if (!self || o->kind == OPTION_HELP || o->kind == OPTION_VERSION)
        return true;
    if (o->offset == offsetof(cli_options, format))
        return self->usage->formats != NULL;
    return !(self->flags & COMMAND_LOCAL) || !about_connection(o);
}

static void print_common(FILE *out, const command *self)
{
    fputs("\nCommon options:\n", out);
    for (int i = 0; i < n_common_options; i++) {
        if (shown_for(self, &common_options[i]))
            print_option(out, &common_options[i]);
    }
}

/* ---- the texts --------------------------------------------------------------------------------
 */

void usage_program(FILE *out)
{
    fprintf(out,
            "rustydb %s: a SQL database whose every committed change is an event\n\n"
            "Usage: rustydb [OPTION...] COMMAND [ARGUMENT...]\n\nCommands:\n",
            RUSTYDB_VERSION);
    for (int i = 0; i < n_commands; i++)
        fprintf(out, "  %-12s %s\n", commands[i].name, commands[i].summary);
    print_common(out, NULL);
    fputs("\n\"rustydb help COMMAND\" says more about one of them.\n", out);
}

void usage_command(const command *self, FILE *out)
{
    const command_usage *u = self->usage;
    fprintf(out, "rustydb %s: %s\n\nUsage: rustydb %s%s%s\n", self->name, self->summary, self->name,
            *u->synopsis ? " " : "", u->synopsis);
    if (u->details)
        fprintf(out, "\n%s\n", u->details);
    if (u->n_options)
        fputs("\nOptions:\n", out);
    for (int i = 0; i < u->n_options; i++)
        print_option(out, &u->options[i]);
    if (u->formats)
        fprintf(out, "\nFormats: %s\n", u->formats);
    print_common(out, self);
    if (u->examples)
        fprintf(out, "\nExamples:\n%s\n", u->examples);
}

static void say(const command *self, const char *message)
{
    fprintf(stderr, "rustydb%s%s: %s\n", self ? " " : "", self ? self->name : "", message);
}

int command_misuse(const command *self, const char *fmt, ...)
{
    char message[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(message, sizeof message, fmt, ap);
    va_end(ap);
    say(self, message);
    fprintf(stderr, "\"rustydb %s%s--help\" says what there is.\n", self ? self->name : "",
            self ? " " : "");
    return EXIT_USAGE;
}

int command_fail(const command *self, const error *e)
{
    say(self, e->message);
    if (e->hint[0])
        fprintf(stderr, "  %s\n", e->hint);
    return error_describe(e->code)->exit_code;
}

/* ---- suggestions ------------------------------------------------------------------------------
 */

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

/* How many letters must be changed, added, dropped or swapped with their neighbour to make b of a;
 * '-' and '_' count as the same. Both are shorter than NAME_MAX_BYTES. */
static int distance(const char *a, const char *b)
{
    int rows[3][NAME_MAX_BYTES + 1];
    int n = (int)strlen(b);
    for (int j = 0; j <= n; j++)
        rows[0][j] = j;
    int i = 0;
    for (; a[i]; i++) {
        int *before = rows[(i + 2) % 3], *last = rows[i % 3], *now = rows[(i + 1) % 3];
        now[0] = i + 1;
        for (int j = 0; j < n; j++) {
            bool same =
                a[i] == b[j] || (a[i] == '-' && b[j] == '_') || (a[i] == '_' && b[j] == '-');
            now[j + 1] = smaller(last[j] + !same, smaller(last[j + 1], now[j]) + 1);
            if (i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j])
                now[j + 1] = smaller(now[j + 1], before[j - 1] + 1);
        }
    }
    return rows[i % 3][n];
}

const char *usage_nearest(const char *word, const char *(*each)(const void *arg, int i),
                          const void *arg)
{
    size_t length = strlen(word);
    if (length >= NAME_MAX_BYTES)
        return NULL;
    const char *best = NULL, *candidate;
    int best_distance = length <= 3 ? 2 : 4; /* from this distance on it is another word */
    for (int i = 0; (candidate = each(arg, i)); i++) {
        size_t other = strlen(candidate);
        if (other >= NAME_MAX_BYTES)
            continue;
        /* A beginning of a name is as good as one wrong letter. */
        int d =
            length >= 2 && strncmp(candidate, word, length) == 0 ? 1 : distance(word, candidate);
        if (d < best_distance) {
            best = candidate;
            best_distance = d;
        }
    }
    return best;
}
