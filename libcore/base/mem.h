/* Allocation with one policy and one place to inject failures.
 *
 * mem_alloc and friends return NULL when memory is out, and the caller reports it. The x-forms end
 * the process with a message: they are for small, bounded structures whose absence leaves nothing
 * sensible to do (the log and the database are crash-safe, so ending is safe).
 * Everything is released with mem_free.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

void *mem_alloc(size_t n);            /* uninitialised */
void *mem_zalloc(size_t n);           /* zeroed */
void *mem_realloc(void *p, size_t n); /* like realloc */
void mem_free(void *p);               /* NULL is fine */
char *mem_strndup(const char *s, size_t n);

void *xalloc(size_t n); /* zeroed, or the process ends */
char *xstrdup(const char *s);

/* Tests: the n-th allocation from now on this thread fails (1 = the next), and only that one;
 * 0 switches it off. Returns how many allocations this thread made since the last call. */
unsigned long mem_fail_nth(unsigned long n);

#endif
