/* A VFS for tests, named "shim", over the system's own: makes the n-th write or sync fail, or takes
 * a picture of what the disk would hold if power failed at the n-th.
 *
 * For the picture it keeps, beside the real file, the content that the last sync made durable, and
 * the writes since; of those, a picture holds a random choice, as a disk without power would.
 * Opening, deleting and truncating count as durable at once. Any thread. */
#ifndef TESTS_UNIT_VFS_SHIM_H
#define TESTS_UNIT_VFS_SHIM_H

#include <stdbool.h>

void shim_install(void); /* once, before the engine opens */
void shim_reset(void);   /* no faults, no pictures, nothing remembered; while no file is open */

/* The n-th call from now fails with this SQLite code (1 = the next); sticky: all after it too.
 * n = 0 switches faults off. */
void shim_fail_at(long n, int rc, bool sticky);
bool shim_failed(void); /* since shim_fail_at */
long shim_calls(void);  /* since shim_fail_at or shim_cut_at */

/* Takes the picture right before the n-th call from now, and calls at_cut from that thread. */
void shim_cut_at(long n, unsigned seed, void (*at_cut)(void *arg), void *arg);
bool shim_cut_taken(void);
/* Writes the picture's files into a folder, by their base names. */
void shim_write_picture(const char *dir);

#endif
