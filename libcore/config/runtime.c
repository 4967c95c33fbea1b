#include "config/runtime.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "json/read.h"
#include "json/writer.h"

enum {
    RECORD_MAX = 16384, /* bytes of a file */
    LOOK_MAX = 1000,    /* directory entries looked at */
};

struct runtime_entry {
    int dir;  /* the folder */
    int file; /* holds the lock; -1 before it exists */
    char name[300];
};

/* ---- the folder -------------------------------------------------------------------------------
 */

static bool ours_alone(const struct stat *st)
{
    return st->st_uid == geteuid() && (st->st_mode & 077) == 0;
}

/* The i-th folder to use, false when there is no such. */
static bool folder_path(int i, char *out, size_t room)
{
    const char *xdg = getenv("XDG_RUNTIME_DIR");
    if (i == 0 && xdg && xdg[0] == '/')
        return snprintf(out, room, "%s/rustydb", xdg) < (int)room;
    if (i == 1)
        return snprintf(out, room, "/tmp/rustydb-%u", (unsigned)geteuid()) < (int)room;
    out[0] = '\0';
    return false;
}

/* An open folder that is ours alone, or -1. */
static int open_folder(int i, bool create)
{
    char path[PATH_MAX];
    if (!folder_path(i, path, sizeof path))
        return -1;
    if (create && mkdir(path, 0700) != 0 && errno != EEXIST)
        return -1;
    int dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    if (dir >= 0 && (fstat(dir, &st) != 0 || !ours_alone(&st))) {
        close(dir);
        return -1;
    }
    return dir;
}

/* ---- publishing -------------------------------------------------------------------------------
 */

/* The loopback address by which `at` is reached; false when there is none. */
static bool reachable(const address *at, address *out)
{
    *out = *at;
    if (strcmp(at->host, "0.0.0.0") == 0)
        strcpy(out->host, "127.0.0.1");
    else if (strcmp(at->host, "::") == 0)
        strcpy(out->host, "::1");
    return address_is_loopback(out->host) && strcasecmp(out->host, "localhost") != 0;
}

static void absolute(const char *path, char *out)
{
    if (!realpath(path, out))
        snprintf(out, PATH_MAX, "%s", path);
}

static void describe(buf *out, const address *at, const char *tls_pin, const char *data_dir,
                     const char *token_file)
{
    char host_port[300], url[320], path[PATH_MAX], stamp[CLOCK_RFC3339_LEN + 1];
    address_format(at, host_port, sizeof host_port);
    snprintf(url, sizeof url, "%s://%s", tls_pin ? "https" : "http", host_port);
    clock_rfc3339(clock_wall_us(), stamp);
    json_writer w;
    jw_init(&w, out);
    jw_begin_object(&w);
    jw_key(&w, "url");
    jw_str(&w, url);
    jw_key(&w, "data_dir");
    absolute(data_dir, path);
    jw_str(&w, path);
    jw_key(&w, "token_file");
    absolute(token_file, path);
    jw_str(&w, path);
    if (tls_pin) {
        jw_key(&w, "tls_pin");
        jw_str(&w, tls_pin);
    }
    jw_key(&w, "pid");
    jw_int(&w, getpid());
    jw_key(&w, "started_at");
    jw_str(&w, stamp);
    jw_end_object(&w);
    buf_addc(out, '\n');
}

static bool write_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t done = write(fd, p, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        p += done;
        n -= (size_t)done;
    }
    return true;
}

/* The file gets its lock and its content before it gets its name, so whoever sees it sees all. The
 * folder's lock keeps others from removing the new file for the stale one of the same name. */
static bool put_file(runtime_entry *r, const buf *text)
{
    char temporary[64];
    snprintf(temporary, sizeof temporary, ".new-%ld", (long)getpid());
    unlinkat(r->dir, temporary, 0);
    r->file = openat(r->dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (r->file < 0)
        return false;
    bool ok = flock(r->file, LOCK_EX | LOCK_NB) == 0 && write_all(r->file, text->data, text->len);
    ok = ok && flock(r->dir, LOCK_EX) == 0;
    ok = ok && renameat(r->dir, temporary, r->dir, r->name) == 0;
    int why = errno;
    flock(r->dir, LOCK_UN);
    if (!ok)
        unlinkat(r->dir, temporary, 0);
    errno = why;
    return ok;
}

static runtime_entry *give_up(runtime_entry *r, buf *text)
{
    if (r && r->file >= 0)
        close(r->file);
    if (r && r->dir >= 0)
        close(r->dir);
    mem_free(r);
    buf_free(text);
    return NULL;
}

runtime_entry *runtime_publish(const address *at, const char *tls_pin, const char *data_dir,
                               const char *token_file, error *e)
{
    address by;
    buf text = BUF_INIT;
    if (!reachable(at, &by)) {
        error_set(e, ERR_NOT_FOUND, "%s is no loopback address", at->host);
        return NULL;
    }
    describe(&text, &by, tls_pin, data_dir, token_file);
    runtime_entry *r = mem_zalloc(sizeof *r);
    if (!r || text.failed) {
        error_set(e, ERR_INTERNAL_ERROR, "out of memory");
        mem_free(r);
        return give_up(NULL, &text);
    }
    r->file = -1;
    r->dir = open_folder(0, true);
    if (r->dir < 0)
        r->dir = open_folder(1, true);
    if (r->dir < 0) {
        char path[PATH_MAX];
        folder_path(1, path, sizeof path);
        error_set(e, ERR_PERMISSION_DENIED,
                  "neither $XDG_RUNTIME_DIR/rustydb nor %.200s is a folder of this user alone",
                  path);
        return give_up(r, &text);
    }
    char host_port[280];
    address_format(&by, host_port, sizeof host_port);
    snprintf(r->name, sizeof r->name, "%s.json", host_port);
    if (!put_file(r, &text)) {
        error_set(e, ERR_INTERNAL_ERROR, "cannot write the runtime record %.200s: %s", r->name,
                  strerror(errno));
        return give_up(r, &text);
    }
    buf_free(&text);
    return r;
}

/* Removes `name` if it still is the file behind fd. The folder is locked by the caller. */
static void remove_same(int dir, const char *name, int fd)
{
    struct stat named, held;
    if (fstatat(dir, name, &named, AT_SYMLINK_NOFOLLOW) == 0 && fstat(fd, &held) == 0 &&
        named.st_ino == held.st_ino && named.st_dev == held.st_dev)
        unlinkat(dir, name, 0);
}

void runtime_withdraw(runtime_entry *r)
{
    if (!r)
        return;
    flock(r->dir, LOCK_EX);
    remove_same(r->dir, r->name, r->file);
    flock(r->dir, LOCK_UN);
    close(r->file);
    close(r->dir);
    mem_free(r);
}

/* ---- finding ----------------------------------------------------------------------------------
 */

static bool copy_text(char *out, size_t room, const char *s)
{
    size_t n = strlen(s);
    if (n >= room)
        return false;
    memcpy(out, s, n + 1);
    return true;
}

static bool parse_record(const char *text, size_t n, runtime_record *out)
{
    error e;
    const char *url = "", *data_dir = "", *token_file = "", *started_at = "", *pin = "";
    const json_field fields[] = {
        {"url", FIELD_STR, true, &url},
        {"data_dir", FIELD_STR, true, &data_dir},
        {"token_file", FIELD_STR, true, &token_file},
        {"tls_pin", FIELD_STR, false, &pin},
        {"pid", FIELD_INT, true, &out->pid, 1, INT32_MAX},
        {"started_at", FIELD_STR, true, &started_at},
    };
    json_t *root = json_read_text(text, n, &e);
    if (!root)
        return false;
    bool ok = json_read_object(root, fields, JSON_FIELDS(fields), &e);
    const char *host_port = ok ? strstr(url, "://") : NULL;
    ok = host_port && address_parse(host_port + 3, &out->at, &e) &&
         address_is_loopback(out->at.host) && copy_text(out->url, sizeof out->url, url) &&
         copy_text(out->data_dir, sizeof out->data_dir, data_dir) &&
         copy_text(out->token_file, sizeof out->token_file, token_file) &&
         copy_text(out->tls_pin, sizeof out->tls_pin, pin) &&
         copy_text(out->started_at, sizeof out->started_at, started_at);
    json_decref(root);
    return ok;
}

static bool read_file(int fd, runtime_record *out)
{
    char *text = mem_alloc(RECORD_MAX);
    if (!text)
        return false;
    ssize_t n = pread(fd, text, RECORD_MAX, 0);
    bool ok = n > 0 && n < RECORD_MAX && parse_record(text, (size_t)n, out);
    mem_free(text);
    return ok;
}

/* Removes a file whose daemon is gone, unless someone is busy in the folder. */
static void clean(int dir, const char *name, int fd)
{
    if (flock(dir, LOCK_EX | LOCK_NB) != 0)
        return;
    remove_same(dir, name, fd);
    flock(dir, LOCK_UN);
}

static bool read_live(int dir, const char *name, runtime_record *out)
{
    int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return false;
    struct stat st;
    bool ok = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && ours_alone(&st);
    if (ok && flock(fd, LOCK_SH | LOCK_NB) == 0) {
        clean(dir, name, fd);
        ok = false;
    }
    ok = ok && read_file(fd, out);
    close(fd);
    return ok;
}

static bool is_record_name(const char *name)
{
    size_t n = strlen(name);
    return name[0] != '.' && n > 5 && strcmp(name + n - 5, ".json") == 0;
}

/* Gives every live record of a folder to `each` until it returns false; false when it did. */
static bool walk(int folder, bool (*each)(void *arg, const runtime_record *r), void *arg)
{
    int fd = open_folder(folder, false);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    if (!d) {
        if (fd >= 0)
            close(fd);
        return true;
    }
    bool go_on = true;
    runtime_record *r = mem_alloc(sizeof *r);
    struct dirent *entry;
    for (int i = 0; r && go_on && i < LOOK_MAX && (entry = readdir(d)); i++) {
        if (is_record_name(entry->d_name) && read_live(fd, entry->d_name, r))
            go_on = each(arg, r);
    }
    mem_free(r);
    closedir(d);
    return go_on;
}

typedef struct search {
    const char *host;
    int port;
    runtime_record *out;
    bool found;
} search;

static bool is_wanted(void *arg, const runtime_record *r)
{
    search *s = arg;
    if (r->at.port != s->port || !address_same_host(r->at.host, s->host))
        return true;
    *s->out = *r;
    s->found = true;
    return false;
}

bool runtime_find(const char *host, int port, runtime_record *out, error *e)
{
    if (!address_is_loopback(host))
        return error_set(e, ERR_NOT_FOUND, "%s is no loopback address", host);
    search s = {host, port, out, false};
    if (walk(0, is_wanted, &s))
        walk(1, is_wanted, &s);
    return s.found || error_set(e, ERR_NOT_FOUND,
                                "no daemon of this user is recorded at %s, port %d", host, port);
}

typedef struct listing {
    runtime_record *out;
    int n, max;
} listing;

static bool note(void *arg, const runtime_record *r)
{
    listing *l = arg;
    if (l->n < l->max)
        l->out[l->n] = *r;
    l->n++;
    return true;
}

int runtime_list(runtime_record *out, int max)
{
    listing l = {out, 0, max};
    walk(0, note, &l);
    walk(1, note, &l);
    return l.n;
}

bool runtime_token(const runtime_record *r, char *out, size_t room, error *e)
{
    int fd = open(r->token_file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return error_set(e, ERR_NOT_FOUND, "cannot read %.300s: %s", r->token_file,
                         strerror(errno));
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || !ours_alone(&st)) {
        close(fd);
        error_set(e, ERR_PERMISSION_DENIED, "%.300s is not a file of this user alone",
                  r->token_file);
        return error_hint(e, "chmod 600 it, and make a new token if others could read it");
    }
    ssize_t n = read(fd, out, room);
    close(fd);
    while (n > 0 && (out[n - 1] == '\n' || out[n - 1] == '\r'))
        n--;
    if (n <= 0 || (size_t)n >= room || memchr(out, '\n', (size_t)n))
        return error_set(e, ERR_NOT_FOUND, "%.300s holds no token", r->token_file);
    out[n] = '\0';
    return true;
}
