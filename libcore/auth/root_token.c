#include "auth/root_token.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/secret.h"
#include "base/log.h"

enum {
    TOKEN_BYTES = 32,               /* of randomness */
    TOKEN_LENGTH = 2 * TOKEN_BYTES, /* hexadecimal digits */
    TOKEN_MAX = 256,                /* longer ones are not looked at */
};

static const char hash_key[] = "auth.root.sha256";

static bool digest(const char *p, size_t n, unsigned char out[ROOT_HASH_BYTES])
{
    return secret_hash(p, n, out, NULL);
}

static bool cannot(const char *what, const char *path, error *e)
{
    int why = errno;
    return error_set(e, why == ENOSPC || why == EDQUOT ? ERR_DISK_FULL : ERR_INTERNAL_ERROR,
                     "cannot %s %.300s: %s", what, path, strerror(why));
}

/* A file of its own, closed to others and on the disk when this returns true. */
static bool write_durably(const char *path, const char *text, size_t n, error *e)
{
    unlink(path); /* of a start that was cut short */
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return cannot("create", path, e);
    ssize_t done = write(fd, text, n);
    if (done >= 0 && (size_t)done != n)
        errno = ENOSPC;
    bool ok = done == (ssize_t)n && fchmod(fd, 0600) == 0 && fsync(fd) == 0;
    if (!ok) {
        cannot("write", path, e);
        unlink(path);
    }
    close(fd);
    return ok;
}

static bool rename_durably(const char *dir, const char *from, const char *to, error *e)
{
    if (rename(from, to) != 0)
        return cannot("rename", from, e);
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (!ok)
        cannot("sync", dir, e);
    if (fd >= 0)
        close(fd);
    return ok;
}

static bool make_token(char out[TOKEN_LENGTH + 2], error *e)
{
    unsigned char raw[TOKEN_BYTES];
    if (RAND_bytes(raw, sizeof raw) != 1)
        return error_set(e, ERR_INTERNAL_ERROR, "the system gives no random numbers");
    for (int i = 0; i < TOKEN_BYTES; i++)
        snprintf(out + 2 * i, 3, "%02x", raw[i]);
    OPENSSL_cleanse(raw, sizeof raw);
    out[TOKEN_LENGTH] = '\n';
    out[TOKEN_LENGTH + 1] = '\0';
    return true;
}

/* The hash is stored before the file gets its name: a start cut short anywhere leaves either the
 * old state, or a hash without a file, which the next start replaces. */
static bool new_token(root_token *t, engine *g, const char *dir, const char *path, error *e)
{
    char temporary[PATH_MAX], token[TOKEN_LENGTH + 2];
    if (snprintf(temporary, sizeof temporary, "%s.new", path) >= (int)sizeof temporary)
        return error_set(e, ERR_INTERNAL_ERROR, "the path of the data folder is too long");
    bool ok = make_token(token, e);
    if (ok && !digest(token, TOKEN_LENGTH, t->hash))
        ok = error_set(e, ERR_INTERNAL_ERROR, "out of memory");
    ok = ok && write_durably(temporary, token, TOKEN_LENGTH + 1, e);
    OPENSSL_cleanse(token, sizeof token);
    if (!ok)
        return false;
    if (engine_meta_set(g, hash_key, t->hash, ROOT_HASH_BYTES, e) &&
        rename_durably(dir, temporary, path, e))
        return true;
    unlink(temporary);
    return false;
}

/* A file that is there stays as it is; what is wrong with it goes to the log. */
static void look_at_file(const root_token *t, const char *path)
{
    char token[TOKEN_MAX];
    unsigned char hash[ROOT_HASH_BYTES];
    struct stat st;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, token, sizeof token) : -1;
    if (fd >= 0 && fstat(fd, &st) == 0 && (st.st_mode & 077) != 0)
        log_warn("root_token", "%s can be read by others: chmod 600 it", path);
    if (fd >= 0)
        close(fd);
    while (n > 0 && (token[n - 1] == '\n' || token[n - 1] == '\r'))
        n--;
    if (n < 0 || !digest(token, (size_t)n, hash) ||
        CRYPTO_memcmp(hash, t->hash, ROOT_HASH_BYTES) != 0)
        log_warn("root_token", "%s is not the token of this database: remove it to get a new one",
                 path);
    OPENSSL_cleanse(token, sizeof token);
}

bool root_token_load(root_token *t, engine *g, const char *dir, error *e)
{
    char path[PATH_MAX];
    struct stat st;
    if (snprintf(path, sizeof path, "%s/root.token", dir) >= (int)sizeof path)
        return error_set(e, ERR_INTERNAL_ERROR, "the path of the data folder is too long");
    error unread;
    error_clear(&unread);
    long n = engine_meta_get(g, hash_key, t->hash, ROOT_HASH_BYTES, &unread);
    if (n < 0 && unread.code != ERR_NONE && unread.code != ERR_NOT_FOUND) {
        *e = unread;
        return false;
    }
    bool known = n == ROOT_HASH_BYTES;
    bool gone = lstat(path, &st) != 0 && errno == ENOENT;
    if (known && !gone) {
        look_at_file(t, path);
        return true;
    }
    if (!new_token(t, g, dir, path, e))
        return false;
    if (known)
        log_warn("root_token", "%s was gone: made a new one, the old token no longer works", path);
    else
        log_info("root_token", "made %s", path);
    return true;
}

bool root_token_is(const root_token *t, const char *token, size_t n)
{
    unsigned char hash[ROOT_HASH_BYTES];
    return n == TOKEN_LENGTH && digest(token, n, hash) &&
           CRYPTO_memcmp(hash, t->hash, ROOT_HASH_BYTES) == 0;
}
