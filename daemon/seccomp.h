/* Which system calls the daemon may still make once it is ready: those that it needs. What an
 * attacker wants who has taken it over (starting a program, tracing another process, mounting,
 * loading code into the kernel) ends it; all others are answered as a kernel would that does not
 * have them, which the C library and the others know to live with. */
#ifndef DAEMON_SECCOMP_H
#define DAEMON_SECCOMP_H

#include <stdbool.h>

#include "base/error.h"

typedef enum seccomp_mode {
    SECCOMP_OFF,
    SECCOMP_ON,
    SECCOMP_LOG_ONLY, /* nothing is refused, and the kernel's audit log says what would have been */
} seccomp_mode;

/* Whether this build can have a filter: sanitizers need more than the daemon does. */
bool seccomp_is_built_in(void);

/* Puts the filter in force for all threads there are and will be, for good. */
bool seccomp_enter(seccomp_mode mode, error *e);

#endif
