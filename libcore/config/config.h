/* Settings: default < preset < file < environment < flags, from the tables settings.def and
 * presets.def.
 *
 * A loaded config is read like a struct: cfg->max_body (bytes), cfg->idle_timeout (milliseconds),
 * cfg->listen (text). It does not change after loading; SIGHUP loads a new one.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "config/networks.h"

typedef enum setting_type {
    SETTING_STR,
    SETTING_INT,
    SETTING_SIZE,
    SETTING_MS,
    SETTING_BOOL,
    SETTING_ENUM
} setting_type;

typedef enum setting_source {
    FROM_DEFAULT,
    FROM_PRESET,
    FROM_FILE,
    FROM_ENVIRONMENT,
    FROM_FLAG,
    FROM_RUNTIME /* config_change */
} setting_source;

typedef struct setting_info {
    setting_type type;
    const char *name;
    const char *fallback; /* default, as text */
    int64_t min, max;
    bool runtime; /* takes effect on SIGHUP */
    const char *help;
} setting_info;

enum {
#define SETTING(type, name, def, min, max, rt, help) SETTING_ID_##name,
#include "config/settings.def"
#undef SETTING
    SETTING_COUNT
};

extern const setting_info settings[SETTING_COUNT];

#define CONFIG_T_STR  const char *
#define CONFIG_T_ENUM const char *
#define CONFIG_T_INT  int64_t
#define CONFIG_T_SIZE int64_t
#define CONFIG_T_MS   int64_t
#define CONFIG_T_BOOL bool

typedef struct config {
#define SETTING(type, name, def, min, max, rt, help) CONFIG_T_##type name;
#include "config/settings.def"
#undef SETTING
    struct {
        networks allow, deny, proxies; /* the settings of these names, taken apart */
    } nets;
    setting_source source[SETTING_COUNT];
    char *text[SETTING_COUNT]; /* the value as written; owned */
    char *file;                /* the file it was read from, NULL when none; owned */
} config;

/* A flag from the command line: --name VALUE. */
typedef struct config_flag {
    const char *name; /* as in the table, with '_' */
    const char *value;
} config_flag;

/* Builds a config. file may be NULL. Errors (INVALID_MESSAGE) name the setting, the value, where it
 * was written (file and line, variable, flag) and what is allowed; an unknown key is an error too.
 * NOT_FOUND when the file cannot be read. The environment must not change meanwhile.
 * NULL on error; freed with config_free. */
config *config_load(const char *file, const config_flag *flags, int n_flags, error *e);
void config_free(config *c);

/* A config that differs from c in `n` settings: all are changed or none. Each must be one that
 * takes effect at runtime, and is checked as if it stood in a file. Errors (INVALID_MESSAGE) name
 * the setting. NULL on error; freed with config_free. */
config *config_change(const config *c, const config_flag *changes, int n, error *e);

enum { CONFIG_ORIGIN_ROOM = 4200 };

/* The word for a source: "default", "preset", "file", "environment", "flag", "runtime". */
const char *config_source_name(setting_source s);
/* Where a setting was written: the preset, the file, the variable, the flag; empty for the other
 * sources. */
void config_origin(const config *c, int id, char out[CONFIG_ORIGIN_ROOM]);

/* One line a setting: "name = value ; where it came from", which can be read again as a file. */
void config_print(const config *c, FILE *out);

/* Tells of every environment variable that looks like a misspelt setting: RUSTYDB_MAX_BDY. Others
 * that begin with RUSTYDB_ are none of our business. Returns how many there are. */
int config_strays(void (*each)(void *arg, const char *variable, const char *meant), void *arg);

/* Finds a setting by name ('-' and '_' alike); -1 when there is none. */
int config_find(const char *name);
/* The same with an error (of the given code) that names the nearest one. */
int config_require(const char *name, error_code code, error *e);

/* A value, by the setting's type: text (STR, ENUM; borrowed), number (INT, SIZE, MS) or flag. */
typedef struct setting_value {
    const char *text;
    int64_t number;
    bool flag;
} setting_value;
setting_value config_value(const config *c, int id);
setting_value config_default(int id);

#endif
