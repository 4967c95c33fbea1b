/* Who replaces the settings of a running daemon: SIGHUP reads all of them again, a request changes
 * some in memory. Any thread that may block, one at a time by a lock; the reactors only ever read
 * the pointer in `server`. */
#ifndef DAEMON_SETTINGS_H
#define DAEMON_SETTINGS_H

#include "daemon/daemon.h"

typedef struct settings_owner settings_owner;

/* `start` are the settings that the daemon starts with; it outlives the owner, as opt does. */
settings_owner *settings_new(const config *start, const daemon_options *opt);
/* Frees the settings that were replaced or are in use, those of the start excepted. */
void settings_free(settings_owner *o);

/* Settings before and after; both live as long as the owner. */
typedef struct settings_step {
    const config *was, *now;
} settings_step;

/* Reads file, environment and flags again, and the files of TLS. What was changed by
 * settings_change is lost. False, with the old settings and certificate in force, when they are not
 * right (INVALID_MESSAGE, NOT_FOUND, PERMISSION_DENIED). Logged, and told to the topic `system`, in
 * either case. */
bool settings_reload(server *d, settings_step *step, error *e);
/* Changes n settings until the next reload: all or none (config_change). Told in the same ways when
 * it succeeds. */
bool settings_change(server *d, const config_flag *changes, int n, settings_step *step, error *e);

/* The settings that the daemon started with: those that need a restart are in force as they stand
 * there. */
const config *settings_of_start(const settings_owner *o);

/* The part that the live queries want to know. */
queries_limits settings_live_limits(const config *cfg);

#endif
