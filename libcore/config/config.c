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

int config_require(const char *name, error_code code, error *e)
{
    int id = config_find(name);
    if (id >= 0)
        return id;
    error_set(e, code, "there is no setting \"%.64s\"", name);
    const char *near = nearest(name, nth_setting, NULL);
    if (near)
        error_hint(e, "did you mean \"%s\"?", near);
    return -1;
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
    int id = config_require(name, ERR_INVALID_MESSAGE, e);
    if (id < 0)
        return false;
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
        int id = config_require(flags[i].name, ERR_INVALID_MESSAGE, e);
        if (id < 0)
            return false;
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

/* The lists were checked when they were set: what fails here is memory. */
static bool take_apart(config *c, error *e)
{
    return networks_parse(c->allow_networks, &c->nets.allow, e) &&
           networks_parse(c->deny_networks, &c->nets.deny, e) &&
           networks_parse(c->trusted_proxies, &c->nets.proxies, e);
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
        load_flags(c, flags, n_flags, e) && apply_preset(c, e) && take_apart(c, e))
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
    networks_free(&c->nets.allow);
    networks_free(&c->nets.deny);
    networks_free(&c->nets.proxies);
    mem_free(c->file);
    mem_free(c);
}

static config *copy(const config *from, error *e)
{
    config *c = mem_zalloc(sizeof *c);
    bool ok = c && (!from->file || (c->file = mem_strndup(from->file, strlen(from->file))));
    if (!ok)
        no_memory(e);
    for (int id = 0; ok && id < SETTING_COUNT; id++)
        ok = put(c, id, from->text[id], from->source[id], e);
    if (ok)
        return c;
    config_free(c);
    return NULL;
}

static bool change(config *c, const config_flag *to, error *e)
{
    int id = config_require(to->name, ERR_INVALID_MESSAGE, e);
    if (id < 0)
        return false;
    if (!settings[id].runtime) {
        error_set(e, ERR_INVALID_MESSAGE, "%s cannot be changed while the daemon runs",
                  settings[id].name);
        return error_hint(e, "Set it in the file, the environment or by a flag, and restart.");
    }
    return put(c, id, to->value, FROM_RUNTIME, e) || about(settings[id].name, e);
}

config *config_change(const config *from, const config_flag *changes, int n, error *e)
{
    error unwanted;
    if (!e)
        e = &unwanted;
    config *c = copy(from, e);
    for (int i = 0; c && i < n; i++) {
        if (!change(c, &changes[i], e)) {
            config_free(c);
            c = NULL;
        }
    }
    if (c && !take_apart(c, e)) {
        config_free(c);
        c = NULL;
    }
    return c;
}

#define TAKE_STR(name)                                                                             \
    (setting_value)                                                                                \
    {                                                                                              \
        .text = c->name                                                                            \
    }
#define TAKE_ENUM(name) TAKE_STR(name)
#define TAKE_INT(name)                                                                             \
    (setting_value)                                                                                \
    {                                                                                              \
        .number = c->name                                                                          \
    }
#define TAKE_SIZE(name) TAKE_INT(name)
#define TAKE_MS(name)   TAKE_INT(name)
#define TAKE_BOOL(name)                                                                            \
    (setting_value)                                                                                \
    {                                                                                              \
        .flag = c->name                                                                            \
    }

setting_value config_value(const config *c, int id)
{
    switch (id) {
#define SETTING(type, name, def, min, max, rt, help)                                               \
    case SETTING_ID_##name:                                                                        \
        return TAKE_##type(name);
#include "config/settings.def"
#undef SETTING
    }
    return (setting_value){0};
}

setting_value config_default(int id)
{
    config c;
    values_assign(&c, id, settings[id].fallback, NULL);
    return config_value(&c, id);
}

const char *config_source_name(setting_source s)
{
    static const char *const names[] = {"default",     "preset", "file",
                                        "environment", "flag",   "runtime"};
    return names[s];
}

void config_origin(const config *c, int id, char out[CONFIG_ORIGIN_ROOM])
{
    char name[VARIABLE_MAX] = "";
    const char *where = name;
    switch (c->source[id]) {
    case FROM_PRESET:
        where = c->preset;
        break;
    case FROM_FILE:
        where = c->file;
        break;
    case FROM_ENVIRONMENT:
        variable_name(id, name);
        break;
    case FROM_FLAG:
        flag_name(id, name);
        break;
    case FROM_DEFAULT:
    case FROM_RUNTIME:
        break;
    }
    snprintf(out, CONFIG_ORIGIN_ROOM, "%s", where);
}

void config_print(const config *c, FILE *out)
{
    for (int id = 0; id < SETTING_COUNT; id++) {
        char origin[CONFIG_ORIGIN_ROOM];
        int n = fprintf(out, "%s = %s", settings[id].name, c->text[id]);
        config_origin(c, id, origin);
        fprintf(out, "%*s ; %s%s%s\n", n < 40 ? 40 - n : 0, "", config_source_name(c->source[id]),
                origin[0] ? " " : "", origin);
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
