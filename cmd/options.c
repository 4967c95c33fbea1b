/* Parses a command line by the tables of options. */
#include "cmd/command.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "base/nearest.h"
#include "config/units.h"

/* One parse: the command's own table first, then the common one. */
typedef struct parser {
    const command *self; /* NULL before the command's name */
    int argc;
    char **argv;
    int at; /* the word being looked at */
    void *into;
    cli_options *common;
} parser;

enum { GO_ON = -1 };

/* ---- finding ----------------------------------------------------------------------------------
 */

static int n_own(const command *self)
{
    return self ? self->usage->n_options : 0;
}

static const option *nth_option(const command *self, int i)
{
    int own = n_own(self);
    if (i < own)
        return &self->usage->options[i];
    return i - own < n_common_options ? &common_options[i - own] : NULL;
}

static const char *nth_name(const void *self, int i)
{
    const option *o = nth_option(self, i);
    return o ? o->name : NULL;
}

static bool same_name(const char *name, const char *word, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char a = name[i] == '_' ? '-' : name[i], b = word[i] == '_' ? '-' : word[i];
        if (a != b || !a)
            return false;
    }
    return name[n] == '\0';
}

static const option *find_long(const command *self, const char *word, size_t n)
{
    const option *o;
    for (int i = 0; (o = nth_option(self, i)); i++) {
        if (same_name(o->name, word, n))
            return o;
    }
    return NULL;
}

static const option *find_letter(const command *self, char letter)
{
    const option *o;
    for (int i = 0; (o = nth_option(self, i)); i++) {
        if (o->letter == letter)
            return o;
    }
    return NULL;
}

/* The name as it is typed; good until the next call. */
static const char *shown(const char *name)
{
    static char out[64];
    snprintf(out, sizeof out, "%s", name);
    for (char *c = out; *c; c++)
        *c = *c == '_' ? '-' : *c;
    return out;
}

static bool is_common(const option *o)
{
    return o >= common_options && o < common_options + n_common_options;
}

/* ---- storing ----------------------------------------------------------------------------------
 */

void option_list_free(option_list *l)
{
    mem_free(l->items);
    *l = (option_list){0};
}

/* A command line of argc words has at most argc values. */
static void append(option_list *l, int argc, const option *o, const char *value)
{
    if (!l->items)
        l->items = xalloc((size_t)argc * sizeof *l->items);
    l->items[l->n++] = (option_value){o, value};
}

static int store_number(const parser *p, const option *o, const char *value, int64_t *to)
{
    if (o->kind == OPTION_MS) {
        if (!units_parse_ms(value, to) || *to < 0)
            return command_misuse(p->self,
                                  "--%s takes a time such as 500ms, 5s or 2min, not \"%s\"",
                                  shown(o->name), value);
        return GO_ON;
    }
    if (!units_parse_int(value, to) || *to < o->min || *to > o->max)
        return command_misuse(p->self,
                              "--%s takes a number from %" PRId64 " to %" PRId64 ", not \"%s\"",
                              shown(o->name), o->min, o->max, value);
    return GO_ON;
}

static int store(const parser *p, const option *o, const char *value)
{
    void *to = (char *)(is_common(o) ? (void *)p->common : p->into) + o->offset;
    switch (o->kind) {
    case OPTION_SWITCH:
        *(bool *)to = true;
        return GO_ON;
    case OPTION_COUNT:
        ++*(int *)to;
        return GO_ON;
    case OPTION_TEXT:
        *(const char **)to = value;
        return GO_ON;
    case OPTION_INT:
    case OPTION_MS:
        return store_number(p, o, value, to);
    case OPTION_LIST:
        append(to, p->argc, o, value);
        return GO_ON;
    case OPTION_HELP:
        if (p->self)
            usage_command(p->self, stdout);
        else
            usage_program(stdout);
        return EXIT_OK;
    case OPTION_VERSION:
        printf("rustydb %s\n", RUSTYDB_VERSION);
        return EXIT_OK;
    }
    return GO_ON;
}

/* ---- reading ----------------------------------------------------------------------------------
 */

static int unknown_option(const parser *p, const char *word, size_t n)
{
    char name[128];
    snprintf(name, sizeof name, "%.*s", (int)n, word);
    const char *near = nearest(name, nth_name, p->self);
    if (!near)
        return command_misuse(p->self, "there is no option --%s", name);
    return command_misuse(p->self, "there is no option --%s; did you mean --%s?", name,
                          shown(near));
}

/* The word after the option is its value. */
static int with_next_word(parser *p, const option *o)
{
    if (p->at + 1 >= p->argc)
        return command_misuse(p->self, "--%s needs its %s", shown(o->name), o->arg);
    return store(p, o, p->argv[++p->at]);
}

static int read_long(parser *p, const char *word)
{
    size_t n = strcspn(word, "=");
    const option *o = find_long(p->self, word, n);
    if (!o)
        return unknown_option(p, word, n);
    if (word[n] == '=')
        return o->arg ? store(p, o, word + n + 1)
                      : command_misuse(p->self, "--%s takes no value", shown(o->name));
    return o->arg ? with_next_word(p, o) : store(p, o, NULL);
}

static int read_letters(parser *p, const char *letters)
{
    for (; *letters; letters++) {
        const option *o = find_letter(p->self, *letters);
        if (!o)
            return command_misuse(p->self, "there is no option -%c", *letters);
        if (o->arg)
            return letters[1] ? store(p, o, letters + 1) : with_next_word(p, o);
        int status = store(p, o, NULL);
        if (status >= 0)
            return status;
    }
    return GO_ON;
}

static bool is_option(const char *word)
{
    return word[0] == '-' && word[1] && !isdigit((unsigned char)word[1]);
}

static int read_option(parser *p)
{
    const char *word = p->argv[p->at];
    return word[1] == '-' ? read_long(p, word + 2) : read_letters(p, word + 1);
}

/* --format is common, but which words it takes is the command's to say. */
static int check_format(const parser *p)
{
    const char *format = p->common->format, *known = p->self->usage->formats;
    if (!format)
        return GO_ON;
    if (!known)
        return command_misuse(p->self, "has no choice of --format");
    size_t n = strlen(format);
    for (const char *word = known; *word;) {
        size_t length = strcspn(word, " ");
        if (length == n && memcmp(word, format, n) == 0)
            return GO_ON;
        word += length;
        word += strspn(word, " ");
    }
    return command_misuse(p->self, "there is no format \"%s\" here, but: %s", format, known);
}

int command_parse(const command *self, int *argc, char **argv, void *into, cli_options *common)
{
    parser p = {.self = self, .argc = *argc, .argv = argv, .into = into, .common = common};
    int words = 1;
    for (p.at = 1; p.at < p.argc; p.at++) {
        if (strcmp(argv[p.at], "--") == 0) {
            while (++p.at < p.argc)
                argv[words++] = argv[p.at];
            break;
        }
        if (!is_option(argv[p.at])) {
            argv[words++] = argv[p.at];
            continue;
        }
        int status = read_option(&p);
        if (status >= 0)
            return status;
    }
    *argc = words;
    argv[words] = NULL;
    return check_format(&p);
}

int command_parse_leading(int argc, char **argv, int *at, cli_options *common)
{
    parser p = {.argc = argc, .argv = argv, .common = common};
    for (p.at = 1; p.at < argc && is_option(argv[p.at]); p.at++) {
        if (strcmp(argv[p.at], "--") == 0) {
            p.at++;
            break;
        }
        int status = read_option(&p);
        if (status >= 0)
            return status;
    }
    *at = p.at;
    return GO_ON;
}
