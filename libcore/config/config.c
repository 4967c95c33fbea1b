#include "config/config.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/nearest.h"
#include "config/file.h"
#include "config/values.h"

const setting_info settings[SETTING_COUNT] = {
#define SETTING(type, name, def, min, max, rt, help)                                               \
    {SETTING_##type, #name, def, min, max, rt, help},
#include "config/settings.def"
#undef SETTING
};

enum { VARIABLE_MAX = 64 }; /* bytes of the name of an environment variable */

/* ---- names ------------------------------------------------------------------------------------
 */

int config_find(const char *name)
{
    for (int id = 0; id < SETTING_COUNT; id++) {
        const char *a = settings[id].name, *b = name;
        while (*a && *b && (*a == *b || (*a == '_' && *b == '-')))
            a++, b++;
        if (!*a && !*b)
            return id;
    }
    return -1;
}

static const char *nth_setting(const void *arg, int i)
{
    (void)arg;
    return i < SETTING_COUNT ? settings[i].name : NULL;
}

static bool no_such_setting(const char *name, error *e)
{
    error_set(e, ERR_INVALID_MESSAGE, "there is no setting \"%.64s\"", name);
    const char *near = nearest(name, nth_setting, NULL);
    return near ? error_hint(e, "did you mean \"%s\"?", near) : false;
}

static void variable_name(int id, char out[VARIABLE_MAX])
{
    int n = snprintf(out, VARIABLE_MAX, "RUSTYDB_");
    for (const char *s = settings[id].name; *s && n < VARIABLE_MAX - 1; s++)
        out[n++] = (char)toupper((unsigned char)*s);
    out[n] = '\0';
}

static void flag_name(int id, char out[VARIABLE_MAX])
{
    snprintf(out, VARIABLE_MAX, "--%s", settings[id].name);
    for (char *s = out; *s; s++)
        *s = *s == '_' ? '-' : *s;
}

/* ---- layers -----------------------------------------------------------------------------------
 */

static bool no_memory(error *e)
{
    return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
}

/* Sets one setting; the error says what is wrong with the value, not yet where it stands. */
static bool put(config *c, int id, const char *text, setting_source from, error *e)
{
    char *copy = mem_strndup(text, strlen(text));
    if (!copy)
        return no_memory(e);
    if (!values_assign(c, id, copy, e)) {
        mem_free(copy);
        return false;
    }
    mem_free(c->text[id]);
    c->text[id] = copy;
    c->source[id] = from;
    return true;
}

/* Puts the name in front of a message. */
static bool about(const char *what, error *e)
{
    if (!e || e->code != ERR_INVALID_MESSAGE)
        return false;
    char message[sizeof e->message], hint[sizeof e->hint];
    snprintf(message, sizeof message, "%s", e->message);
    snprintf(hint, sizeof hint, "%s", e->hint);
    error_set(e, ERR_INVALID_MESSAGE, "%.200s: %.270s", what, message);
    return error_hint(e, "%s", hint);
}

static bool load_defaults(config *c, error *e)
{
    for (int id = 0; id < SETTING_COUNT; id++) {
        if (!put(c, id, settings[id].fallback, FROM_DEFAULT, e))
            return about(settings[id].name, e);
    }
    return true;
}

typedef struct file_layer {
    config *c;
    int line_of[SETTING_COUNT]; /* where a setting was given, 0: not yet */
} file_layer;

static bool file_pair(void *arg, int line, const char *name, const char *value, error *e)
{
    file_layer *f = arg;
    int id = config_find(name);
    if (id < 0)
        return no_such_setting(name, e);
    if (f->line_of[id])
        return error_set(e, ERR_INVALID_MESSAGE, "%s is set a second time, first in line %d",
                         settings[id].name, f->line_of[id]);
    f->line_of[id] = line;
    return put(f->c, id, value, FROM_FILE, e) || about(settings[id].name, e);
}

static bool load_file(config *c, const char *file, error *e)
{
    c->file = mem_strndup(file, strlen(file));
    if (!c->file)
        return no_memory(e);
    file_layer f = {.c = c};
    return config_file_read(file, file_pair, &f, e);
}

/* An empty variable counts as not set. */
static bool load_environment(config *c, error *e)
{
    for (int id = 0; id < SETTING_COUNT; id++) {
        char name[VARIABLE_MAX];
        variable_name(id, name);
        const char *value = getenv(name);
        if (value && *value && !put(c, id, value, FROM_ENVIRONMENT, e))
            return about(name, e);
    }
    return true;
}

static bool load_flags(config *c, const config_flag *flags, int n, error *e)
{
    for (int i = 0; i < n; i++) {
        int id = config_find(flags[i].name);
        if (id < 0)
            return no_such_setting(flags[i].name, e);
        char name[VARIABLE_MAX];
        flag_name(id, name);
        if (!put(c, id, flags[i].value, FROM_FLAG, e))
            return about(name, e);
    }
    return true;
}

/* Presets give way to whatever was said of a setting. */
static bool apply_preset(config *c, error *e)
{
    static const struct {
        const char *preset;
        int id;
        const char *value;
    } presets[] = {
#define PRESET(preset, setting, value) {#preset, SETTING_ID_##setting, value},
#include "config/presets.def"
#undef PRESET
    };
    for (size_t i = 0; i < sizeof presets / sizeof *presets; i++) {
        if (strcmp(presets[i].preset, c->preset) == 0 && c->source[presets[i].id] == FROM_DEFAULT &&
            !put(c, presets[i].id, presets[i].value, FROM_PRESET, e))
            return about(settings[presets[i].id].name, e);
    }
    return true;
}

/* ---- the interface ----------------------------------------------------------------------------
 */

config *config_load(const char *file, const config_flag *flags, int n_flags, error *e)
{
    error unwanted;
    if (!e)
        e = &unwanted;
    config *c = mem_zalloc(sizeof *c);
    if (!c) {
        no_memory(e);
        return NULL;
    }
    if (load_defaults(c, e) && (!file || load_file(c, file, e)) && load_environment(c, e) &&
        load_flags(c, flags, n_flags, e) && apply_preset(c, e))
        return c;
    config_free(c);
    return NULL;
}

void config_free(config *c)
{
    if (!c)
        return;
    for (int id = 0; id < SETTING_COUNT; id++)
        mem_free(c->text[id]);
    mem_free(c->file);
    mem_free(c);
}

void config_print(const config *c, FILE *out)
{
    for (int id = 0; id < SETTING_COUNT; id++) {
        char name[VARIABLE_MAX];
        int n = fprintf(out, "%s = %s", settings[id].name, c->text[id]);
        fprintf(out, "%*s ; ", n < 40 ? 40 - n : 0, "");
        switch (c->source[id]) {
        case FROM_DEFAULT:
            fputs("default\n", out);
            break;
        case FROM_PRESET:
            fprintf(out, "preset %s\n", c->preset);
            break;
        case FROM_FILE:
            fprintf(out, "file %s\n", c->file);
            break;
        case FROM_ENVIRONMENT:
            variable_name(id, name);
            fprintf(out, "environment %s\n", name);
            break;
        case FROM_FLAG:
            flag_name(id, name);
            fprintf(out, "flag %s\n", name);
            break;
        }
    }
}

int config_strays(void (*each)(void *arg, const char *variable, const char *meant), void *arg)
{
    static const char *const clients[] = {"RUSTYDB_URL", "RUSTYDB_TOKEN", "RUSTYDB_CONFIG"};
    int n = 0;
    for (char **v = environ; *v; v++) {
        size_t length = strcspn(*v, "=");
        char name[VARIABLE_MAX], key[VARIABLE_MAX] = "";
        if (strncmp(*v, "RUSTYDB_", 8) != 0 || length >= sizeof name)
            continue;
        snprintf(name, sizeof name, "%.*s", (int)length, *v);
        bool known = false;
        for (size_t i = 0; i < sizeof clients / sizeof *clients; i++)
            known |= strcmp(name, clients[i]) == 0;
        for (size_t i = 8; i <= length; i++)
            key[i - 8] = (char)tolower((unsigned char)name[i]);
        if (known || config_find(key) >= 0)
            continue;
        const char *near = nearest(key, nth_setting, NULL);
        if (!near)
            continue;
        each(arg, name, near);
        n++;
    }
    return n;
}
