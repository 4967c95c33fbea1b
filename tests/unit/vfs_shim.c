#include "vfs_shim.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILES = 32 };

typedef struct pending_write {
    struct pending_write *next;
    sqlite3_int64 at;
    int n;
    char data[];
} pending_write;

/* A file by its name, open or not. */
typedef struct disk_file {
    char *name;
    char *durable;
    size_t len, cap;
    pending_write *first, *last;
    char *picture; /* content at the cut */
    size_t picture_len;
    bool in_picture;
} disk_file;

typedef struct shim_file {
    sqlite3_file base;
    disk_file *disk;    /* NULL: not watched */
    sqlite3_file *real; /* behind this struct */
} shim_file;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards all below */
static disk_file files[FILES];
static long calls, fail_n, cut_n;
static int fail_rc;
static bool fail_sticky, failed, cut_taken;
static unsigned random_state;
static void (*on_cut)(void *);
static void *on_cut_arg;

static sqlite3_vfs *real_vfs;
static sqlite3_vfs shim_vfs;
static sqlite3_io_methods methods;

/* ---- what the disk holds ----------------------------------------------------------------------
 */

static void put(disk_file *d, const void *p, sqlite3_int64 at, size_t n)
{
    size_t end = (size_t)at + n;
    if (n == 0)
        return;
    if (end > d->cap) {
        d->cap = end * 2;
        d->durable = realloc(d->durable, d->cap);
    }
    if (end > d->len) {
        memset(d->durable + d->len, 0, end - d->len);
        d->len = end;
    }
    memcpy(d->durable + at, p, n);
}

static void make_durable(disk_file *d)
{
    while (d->first) {
        pending_write *w = d->first;
        put(d, w->data, w->at, (size_t)w->n);
        d->first = w->next;
        free(w);
    }
    d->last = NULL;
}

static void forget_content(disk_file *d)
{
    while (d->first) {
        pending_write *w = d->first;
        d->first = w->next;
        free(w);
    }
    d->last = NULL;
    d->len = 0;
}

static void take_picture(void)
{
    for (int i = 0; i < FILES; i++) {
        disk_file *d = &files[i];
        if (!d->name)
            continue;
        disk_file copy = {0};
        put(&copy, d->durable ? d->durable : "", 0, d->len);
        for (pending_write *w = d->first; w; w = w->next) {
            random_state = random_state * 1103515245u + 12345u;
            if (random_state >> 16 & 1)
                put(&copy, w->data, w->at, (size_t)w->n);
        }
        free(d->picture);
        d->picture = copy.durable;
        d->picture_len = copy.len;
        d->in_picture = true;
    }
    cut_taken = true;
}

/* One more call; SQLITE_OK or the code to fail with. */
static int one_call(void)
{
    void (*tell)(void *) = NULL;
    void *arg = NULL;
    pthread_mutex_lock(&lock);
    calls++;
    if (cut_n && calls == cut_n) {
        take_picture();
        tell = on_cut;
        arg = on_cut_arg;
    }
    int rc = SQLITE_OK;
    if (fail_n && (calls == fail_n || (fail_sticky && calls > fail_n))) {
        failed = true;
        rc = fail_rc;
    }
    pthread_mutex_unlock(&lock);
    if (tell)
        tell(arg);
    return rc;
}

/* ---- files ------------------------------------------------------------------------------------
 */

static shim_file *own(sqlite3_file *f)
{
    return (shim_file *)(void *)f;
}

static sqlite3_file *real(sqlite3_file *f)
{
    return own(f)->real;
}

static int x_close(sqlite3_file *f)
{
    return real(f)->pMethods ? real(f)->pMethods->xClose(real(f)) : SQLITE_OK;
}

static int x_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
    return real(f)->pMethods->xRead(real(f), p, n, at);
}

static int x_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
    int rc = one_call();
    if (rc != SQLITE_OK)
        return rc;
    disk_file *d = own(f)->disk;
    rc = real(f)->pMethods->xWrite(real(f), p, n, at);
    pthread_mutex_lock(&lock);
    if (rc == SQLITE_OK && d) {
        pending_write *w = malloc(sizeof *w + (size_t)n);
        w->next = NULL;
        w->at = at;
        w->n = n;
        memcpy(w->data, p, (size_t)n);
        if (d->last)
            d->last->next = w;
        else
            d->first = w;
        d->last = w;
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

static int x_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    int rc = one_call();
    if (rc != SQLITE_OK)
        return rc;
    disk_file *d = own(f)->disk;
    pthread_mutex_lock(&lock);
    if (d) {
        make_durable(d);
        if ((size_t)size < d->len)
            d->len = (size_t)size;
    }
    pthread_mutex_unlock(&lock);
    return real(f)->pMethods->xTruncate(real(f), size);
}

static int x_sync(sqlite3_file *f, int flags)
{
    int rc = one_call();
    if (rc != SQLITE_OK)
        return rc;
    (void)flags; /* the real disk is not the subject */
    pthread_mutex_lock(&lock);
    if (own(f)->disk)
        make_durable(own(f)->disk);
    pthread_mutex_unlock(&lock);
    return SQLITE_OK;
}

static int x_size(sqlite3_file *f, sqlite3_int64 *out)
{
    return real(f)->pMethods->xFileSize(real(f), out);
}

static int x_lock(sqlite3_file *f, int level)
{
    return real(f)->pMethods->xLock(real(f), level);
}

static int x_unlock(sqlite3_file *f, int level)
{
    return real(f)->pMethods->xUnlock(real(f), level);
}

static int x_check(sqlite3_file *f, int *out)
{
    return real(f)->pMethods->xCheckReservedLock(real(f), out);
}

static int x_control(sqlite3_file *f, int op, void *arg)
{
    return real(f)->pMethods->xFileControl(real(f), op, arg);
}

static int x_sector(sqlite3_file *f)
{
    return real(f)->pMethods->xSectorSize(real(f));
}

static int x_traits(sqlite3_file *f)
{
    (void)f;
    return 0; /* promises nothing */
}

static int x_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
    return real(f)->pMethods->xShmMap(real(f), page, size, extend, out);
}

static int x_shm_lock(sqlite3_file *f, int at, int n, int flags)
{
    return real(f)->pMethods->xShmLock(real(f), at, n, flags);
}

static void x_shm_barrier(sqlite3_file *f)
{
    real(f)->pMethods->xShmBarrier(real(f));
}

static int x_shm_unmap(sqlite3_file *f, int remove)
{
    return real(f)->pMethods->xShmUnmap(real(f), remove);
}

/* ---- the VFS ----------------------------------------------------------------------------------
 */

static disk_file *find_file(const char *name)
{
    disk_file *found = NULL;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < FILES && !found; i++) {
        if (files[i].name && strcmp(files[i].name, name) == 0)
            found = &files[i];
    }
    for (int i = 0; i < FILES && !found; i++) {
        if (!files[i].name) {
            files[i].name = strdup(name);
            found = &files[i];
        }
    }
    pthread_mutex_unlock(&lock);
    return found;
}

static int x_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *f, int flags, int *out)
{
    shim_file *s = own(f);
    (void)vfs;
    memset(s, 0, sizeof *s);
    s->real = (sqlite3_file *)(void *)(s + 1);
    int rc = real_vfs->xOpen(real_vfs, name, s->real, flags, out);
    if (rc != SQLITE_OK)
        return rc;
    if (name && (flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL)))
        s->disk = find_file(name);
    s->base.pMethods = &methods;
    return SQLITE_OK;
}

static int x_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    (void)vfs;
    disk_file *d = find_file(name);
    pthread_mutex_lock(&lock);
    if (d)
        forget_content(d);
    pthread_mutex_unlock(&lock);
    return real_vfs->xDelete(real_vfs, name, sync);
}

void shim_install(void)
{
    real_vfs = sqlite3_vfs_find(NULL);
    methods = (sqlite3_io_methods){
        .iVersion = 2,
        .xClose = x_close,
        .xRead = x_read,
        .xWrite = x_write,
        .xTruncate = x_truncate,
        .xSync = x_sync,
        .xFileSize = x_size,
        .xLock = x_lock,
        .xUnlock = x_unlock,
        .xCheckReservedLock = x_check,
        .xFileControl = x_control,
        .xSectorSize = x_sector,
        .xDeviceCharacteristics = x_traits,
        .xShmMap = x_shm_map,
        .xShmLock = x_shm_lock,
        .xShmBarrier = x_shm_barrier,
        .xShmUnmap = x_shm_unmap,
    };
    shim_vfs = *real_vfs;
    shim_vfs.zName = "shim";
    shim_vfs.pNext = NULL;
    shim_vfs.szOsFile = (int)sizeof(shim_file) + real_vfs->szOsFile;
    shim_vfs.xOpen = x_open;
    shim_vfs.xDelete = x_delete;
    sqlite3_vfs_register(&shim_vfs, 0);
}

void shim_reset(void)
{
    pthread_mutex_lock(&lock);
    for (int i = 0; i < FILES; i++) {
        forget_content(&files[i]);
        free(files[i].name);
        free(files[i].durable);
        free(files[i].picture);
        files[i] = (disk_file){0};
    }
    calls = fail_n = cut_n = 0;
    failed = cut_taken = false;
    pthread_mutex_unlock(&lock);
}

void shim_fail_at(long n, int rc, bool sticky)
{
    pthread_mutex_lock(&lock);
    calls = 0;
    fail_n = n;
    fail_rc = rc;
    fail_sticky = sticky;
    failed = failed && n == 0;
    pthread_mutex_unlock(&lock);
}

bool shim_failed(void)
{
    pthread_mutex_lock(&lock);
    bool is = failed;
    pthread_mutex_unlock(&lock);
    return is;
}

long shim_calls(void)
{
    pthread_mutex_lock(&lock);
    long n = calls;
    pthread_mutex_unlock(&lock);
    return n;
}

void shim_cut_at(long n, unsigned seed, void (*at_cut)(void *arg), void *arg)
{
    pthread_mutex_lock(&lock);
    calls = 0;
    cut_n = n;
    random_state = seed * 2654435761u + 1;
    on_cut = at_cut;
    on_cut_arg = arg;
    cut_taken = false;
    pthread_mutex_unlock(&lock);
}

bool shim_cut_taken(void)
{
    pthread_mutex_lock(&lock);
    bool is = cut_taken;
    pthread_mutex_unlock(&lock);
    return is;
}

void shim_write_picture(const char *dir)
{
    pthread_mutex_lock(&lock);
    for (int i = 0; i < FILES; i++) {
        disk_file *d = &files[i];
        if (!d->in_picture || d->picture_len == 0)
            continue;
        char path[400];
        snprintf(path, sizeof path, "%s/%s", dir, strrchr(d->name, '/') + 1);
        FILE *out = fopen(path, "wb");
        if (out && fwrite(d->picture, 1, d->picture_len, out) != d->picture_len)
            abort();
        if (out)
            fclose(out);
    }
    pthread_mutex_unlock(&lock);
}
