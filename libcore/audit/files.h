/* The files of an audit log: DIR/audit.log, which grows, and DIR/audit.log.N, those that were full,
 * with numbers that go up. Symbolic links and what is no file are refused. Blocks. */
#ifndef AUDIT_FILES_H
#define AUDIT_FILES_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef struct audit_file {
    int fd;         /* open for reading */
    int64_t number; /* of a full one; 0: the one that grows */
    int64_t size;   /* when it was opened */
} audit_file;

typedef struct audit_files {
    audit_file *all; /* oldest first; owned */
    int n;
} audit_files;

/* Opens all there are; none is fine. What is opened stays readable when it is renamed or removed.
 */
bool audit_files_open(const char *dir, audit_files *out, error *e);
/* Opens one by its path. */
bool audit_files_open_one(const char *path, audit_files *out, error *e);
void audit_files_close(audit_files *f);

/* DIR/audit.log, with ".N" behind it unless number is 0. False when it does not fit. */
bool audit_file_path(const char *dir, int64_t number, char out[PATH_MAX]);
/* The number of the newest full one, 0: there is none. */
bool audit_files_newest(const char *dir, int64_t *number, error *e);
/* Removes full ones but the newest `keep`. */
void audit_files_prune(const char *dir, int64_t newest, int64_t keep);

/* Opens one of ours: a plain file that belongs to us, and that nobody else may read (it is closed
 * to them where they may). -1 with *e set; NOT_FOUND when it is not there. */
int audit_file_open(const char *path, int flags, error *e);
/* Whether all n bytes were written. */
bool audit_file_write(int fd, const char *p, size_t n);
/* Makes what was renamed or made in a folder last. */
bool audit_dir_sync(const char *dir);

/* Gives each line between the bytes `from` (where one begins) and `size`, without its line break,
 * with the place where it begins; false from `each` ends it. A line longer than AUDIT_LINE_MAX is
 * given in its first bytes. *torn: bytes at the end that no line break ends; 0: none. */
bool audit_file_lines(int fd, int64_t from, int64_t size,
                      bool (*each)(void *arg, const char *p, size_t n, int64_t at), void *arg,
                      int64_t *torn, error *e);

#endif
