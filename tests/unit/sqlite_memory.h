/* SQLite's memory through ours, so that mem_fail_nth counts and fails its allocations too. For
 * tests that include it once and call sqlite_memory_is_ours before anything else. */
#ifndef TESTS_SQLITE_MEMORY_H
#define TESTS_SQLITE_MEMORY_H

#include <sqlite3.h>

#include "base/mem.h"

/* The size stands in front of each block. */
enum { HEAD = 16 };

static void *sql_malloc(int n)
{
    char *p = mem_alloc((size_t)n + HEAD);
    if (!p)
        return NULL;
    *(int *)(void *)p = n;
    return p + HEAD;
}
static void sql_free(void *p)
{
    if (p)
        mem_free((char *)p - HEAD);
}
static void *sql_realloc(void *p, int n)
{
    char *q = mem_realloc((char *)p - HEAD, (size_t)n + HEAD);
    if (!q)
        return NULL;
    *(int *)(void *)q = n;
    return q + HEAD;
}
static int sql_size(void *p)
{
    return *(int *)(void *)((char *)p - HEAD);
}
static int sql_roundup(int n)
{
    return (n + 7) & ~7;
}
static int sql_init(void *arg)
{
    (void)arg;
    return SQLITE_OK;
}
static void sql_shutdown(void *arg)
{
    (void)arg;
}

static void sqlite_memory_is_ours(void)
{
    static const sqlite3_mem_methods methods = {
        sql_malloc, sql_free, sql_realloc, sql_size, sql_roundup, sql_init, sql_shutdown, NULL,
    };
    sqlite3_config(SQLITE_CONFIG_MALLOC, &methods);
    sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0);
    sqlite3_initialize();
}

#endif
