/* Ctrl-C: the first SIGINT asks the command to stop in good order, a second one ends the process.
 * Waiting calls return early (no SA_RESTART), and a descriptor becomes readable for event loops. */
#ifndef CLI_INTERRUPT_H
#define CLI_INTERRUPT_H

#include <stdbool.h>

enum { EXIT_INTERRUPTED = 130 };

/* Takes over SIGINT (unless it is ignored, as under nohup) and ignores SIGPIPE, so that a closed
 * connection is an error and not the end. Call once, before threads. */
void interrupt_arm(void);
/* Whether SIGINT came since interrupt_arm. */
bool interrupted(void);
/* Readable once SIGINT came; -1 when there is none. Only to be watched, never read. */
int interrupt_fd(void);
/* Called from the signal handler too, so only what is allowed there; NULL for none. */
void interrupt_notify(void (*notify)(void));
/* Back to the defaults: for the child after a fork. */
void interrupt_disarm(void);
/* Waits up to `ms` milliseconds; false when SIGINT came. */
bool interrupt_sleep(int ms);

#endif
