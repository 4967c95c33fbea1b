/* What the process gives up: the right to leave its memory behind, the rights of root, and all
 * system calls that it does not need. The steps in their order:
 *
 *     harden_begin    before anything else, and before there are threads
 *     harden_user     as root with the setting `user`: files are made and opened as that user
 *     harden_regain   once they are; listening sockets and keys may need root
 *     harden_seal     for good: no way back, for any thread
 */
#ifndef DAEMON_HARDEN_H
#define DAEMON_HARDEN_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"
#include "config/config.h"

typedef struct harden {
    bool drops; /* there is a user to become */
    uid_t uid;
    gid_t gid;
} harden;

/* Files of ours are for us alone (umask 077); no core dumps, and nobody of the same user may look
 * into the memory, unless the setting core_dumps says so; programs started by any thread never get
 * more rights (no_new_privs). Finds the user to become: INVALID_MESSAGE when there is no such user
 * or group, PERMISSION_DENIED when we are somebody else than root. */
bool harden_begin(harden *h, const config *cfg, error *e);

bool harden_user(const harden *h, error *e);
bool harden_regain(const harden *h, error *e);
/* Drops all that is left of root and sees to it that it cannot be had again; then the filter of
 * system calls. */
bool harden_seal(const harden *h, const config *cfg, error *e);

/* Makes the data folder when it is not there, closes it and the files in it to others where they
 * are open (with a warning), and refuses symbolic links where files of ours are expected. Before
 * harden_user: a folder that is made belongs to the user to become; one that belongs to somebody
 * else is refused. `path` is absolute afterwards (PATH_MAX bytes). */
bool harden_data_dir(const harden *h, const char *dir, char *path, error *e);

#endif
