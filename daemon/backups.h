/* The folder of backups: one file NAME.db each, and data folders that were restored from them. What
 * is not whole yet has a name that begins with a dot, and is no backup. Blocks: the threads of jobs
 * and errands. */
#ifndef DAEMON_BACKUPS_H
#define DAEMON_BACKUPS_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/daemon.h"
#include "json/writer.h"

enum { BACKUP_NAME_MAX = 64 }; /* bytes */

/* DIR/NAME, with a prefix and a suffix for NAME; INVALID_MESSAGE when that is too long. */
bool backups_path(server *d, const char *prefix, const char *name, const char *suffix,
                  char out[PATH_MAX], error *e);
/* Makes the folder where it is not there. */
bool backups_make_dir(server *d, error *e);
/* NOT_FOUND when there is no such backup. Fills its path. */
bool backups_find(server *d, const char *name, char path[PATH_MAX], error *e);
/* CONFLICT when anything has this path. */
bool backups_is_free(const char *path, error *e);
/* Gives what is whole its name, for good: CONFLICT when that is taken. */
bool backups_publish(server *d, const char *from, const char *to, error *e);

/* {"name","bytes","created_at","log_id","lsn"}; NOT_FOUND when it is gone. */
bool backups_describe(server *d, const char *name, json_writer *w, error *e);
/* Members of a page, newest first: "backups", "total", "offset", "limit". */
bool backups_list(server *d, int64_t offset, int64_t limit, json_writer *w, error *e);

#endif
