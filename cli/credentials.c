#include "cli/credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

enum { MAX_FILE = 1 << 20 };

/* ---- where -------------------------------------------------------------------------------------
 */

static bool cannot(const char *what, const char *path, error *e)
{
    return error_set(e, ERR_CLIENT_ERROR, "cannot %s %.300s: %s", what, path, strerror(errno));
}

/* The folder with `name` in it. */
static bool path_of(const char *name, char out[PATH_MAX], error *e)
{
    const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    int n;
    if (xdg && xdg[0] == '/')
        n = snprintf(out, PATH_MAX, "%s/rustydb/%s", xdg, name);
    else if (home && home[0] == '/')
        n = snprintf(out, PATH_MAX, "%s/.config/rustydb/%s", home, name);
    else
        return error_set(e, ERR_CLIENT_ERROR,
                         "neither XDG_CONFIG_HOME nor HOME says where "
                         "logins are kept");
    return n < PATH_MAX || error_set(e, ERR_CLIENT_ERROR, "the path of the logins is too long");
}

/* The folders on the way to a file. */
static bool make_folders(const char *file, error *e)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s", file);
    for (char *at = path + 1; (at = strchr(at, '/')); at++) {
        *at = '\0';
        if (mkdir(path, 0700) != 0 && errno != EEXIST)
            return cannot("make the folder", path, e);
        *at = '/';
    }
    return true;
}

/* ---- reading -----------------------------------------------------------------------------------
 */

static bool is_ours_alone(int fd, const char *path, error *e)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return cannot("look at", path, e);
    if (S_ISREG(st.st_mode) && st.st_uid == geteuid() && !(st.st_mode & 077) &&
        st.st_size <= MAX_FILE)
        return true;
    error_set(e, ERR_PERMISSION_DENIED, "%.300s is not a file of this user alone", path);
    return error_hint(e, "chmod 600 it, or remove it and log in again");
}

static json_t *parse(int fd, const char *path, error *e)
{
    json_error_t why;
    json_t *root = json_loadfd(fd, JSON_REJECT_DUPLICATES, &why);
    if (root && json_is_object(root))
        return root;
    json_decref(root);
    error_set(e, ERR_CLIENT_ERROR, "%.300s is not understood", path);
    error_hint(e, "remove it and log in again");
    return NULL;
}

/* All logins, by URL; none where there is no file. NULL with e set. */
static json_t *read_all(error *e)
{
    char path[PATH_MAX];
    if (!path_of("credentials.json", path, e))
        return NULL;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return json_object();
    if (fd < 0) {
        cannot("open", path, e);
        return NULL;
    }
    json_t *root = is_ours_alone(fd, path, e) ? parse(fd, path, e) : NULL;
    close(fd);
    return root;
}

static char *text_of(const json_t *login, const char *name)
{
    const char *text = json_string_value(json_object_get(login, name));
    return text ? xstrdup(text) : NULL;
}

bool credentials_find(const char *url, saved_login *out, error *e)
{
    *out = (saved_login){0};
    json_t *all = read_all(e);
    if (!all)
        return false;
    const json_t *login = json_object_get(all, url);
    out->user = text_of(login, "user");
    out->token = text_of(login, "token");
    out->refresh_token = text_of(login, "refresh_token");
    out->expires_at = json_integer_value(json_object_get(login, "expires_at"));
    json_decref(all);
    if (out->user && out->token)
        return true;
    credentials_free(out);
    return error_set(e, ERR_NOT_FOUND, "there is no login for %.200s", url);
}

static void wipe(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    mem_free(text);
}

void credentials_free(saved_login *l)
{
    mem_free(l->user);
    wipe(l->token);
    wipe(l->refresh_token);
    *l = (saved_login){0};
}

/* ---- writing -----------------------------------------------------------------------------------
 */

static bool write_all(const json_t *all, error *e)
{
    char path[PATH_MAX], fresh[PATH_MAX];
    if (!path_of("credentials.json", path, e) || !path_of("credentials.json.new", fresh, e) ||
        !make_folders(path, e))
        return false;
    unlink(fresh); /* of a process that was cut short */
    int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool good = fd >= 0 && json_dumpfd(all, fd, JSON_INDENT(2) | JSON_SORT_KEYS) == 0 &&
                write(fd, "\n", 1) == 1 && fsync(fd) == 0;
    good = (good && rename(fresh, path) == 0) || cannot("write", path, e);
    if (fd >= 0)
        close(fd);
    if (!good)
        unlink(fresh);
    return good;
}

static void put_text(json_t *login, const char *name, const char *text)
{
    if (text)
        json_object_set_new(login, name, json_string(text));
}

bool credentials_save(const char *url, const saved_login *l, error *e)
{
    json_t *all = read_all(e);
    if (!all)
        return false;
    if (l) {
        json_t *login = json_object();
        put_text(login, "user", l->user);
        put_text(login, "token", l->token);
        put_text(login, "refresh_token", l->refresh_token);
        if (l->expires_at)
            json_object_set_new(login, "expires_at", json_integer(l->expires_at));
        json_object_set_new(all, url, login);
    } else {
        json_object_del(all, url);
    }
    bool good = write_all(all, e);
    json_decref(all);
    return good;
}

int credentials_lock(error *e)
{
    char path[PATH_MAX];
    if (!path_of("credentials.lock", path, e) || !make_folders(path, e))
        return -1;
    int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd >= 0 && flock(fd, LOCK_EX) == 0)
        return fd;
    cannot("lock", path, e);
    if (fd >= 0)
        close(fd);
    return -1;
}

void credentials_unlock(int lock)
{
    close(lock);
}
