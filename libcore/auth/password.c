#include "auth/password.h"

#include <crypt.h>
#include <stdio.h>
#include <string.h>

#include "auth/secret.h"
#include "base/mem.h"
#include "base/utf8.h"

#define METHOD "$y$" /* yescrypt */

_Static_assert(PASSWORD_HASH_MAX >= CRYPT_OUTPUT_SIZE, "a hash of libxcrypt fits");
_Static_assert(PASSWORD_MAX < CRYPT_MAX_PASSPHRASE_SIZE, "libxcrypt takes every password");

/* ---- what may be one ---------------------------------------------------------------------------
 */

static size_t characters(const char *p, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += ((unsigned char)p[i] & 0xc0) != 0x80;
    return count;
}

static bool has_control(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if ((unsigned char)p[i] < 0x20 || p[i] == 0x7f)
            return true;
    }
    return false;
}

bool password_acceptable(const char *p, size_t n, error *e)
{
    if (n > PASSWORD_MAX)
        return error_set(e, ERR_INVALID_MESSAGE, "a password has at most %d bytes", PASSWORD_MAX);
    if (utf8_valid(p, n) != n || has_control(p, n))
        return error_set(e, ERR_INVALID_MESSAGE,
                         "a password is UTF-8 text without control characters");
    if (characters(p, n) < PASSWORD_MIN) {
        error_set(e, ERR_INVALID_MESSAGE, "a password has at least %d characters", PASSWORD_MIN);
        return error_hint(e, "a few words that nobody else would put together are a good one");
    }
    return true;
}

/* ---- hashing -----------------------------------------------------------------------------------
 */

/* What libxcrypt makes of a password and a setting (a hash, or what a new one begins with). */
static bool crypt_text(const char *p, size_t n, const char *setting, char out[PASSWORD_HASH_MAX])
{
    struct work {
        struct crypt_data data;
        char password[PASSWORD_MAX + 1];
    } *w = mem_zalloc(sizeof *w);
    if (!w)
        return false;
    memcpy(w->password, p, n);
    const char *made = crypt_rn(w->password, setting, &w->data, sizeof w->data);
    if (made)
        snprintf(out, PASSWORD_HASH_MAX, "%s", made);
    secret_wipe(w, sizeof *w);
    mem_free(w);
    return made != NULL;
}

static bool new_setting(int cost, char out[CRYPT_GENSALT_OUTPUT_SIZE])
{
    return crypt_gensalt_rn(METHOD, (unsigned long)cost, NULL, 0, out, CRYPT_GENSALT_OUTPUT_SIZE) !=
           NULL;
}

bool password_hash(const char *p, size_t n, int cost, char out[PASSWORD_HASH_MAX], error *e)
{
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];
    if (!password_acceptable(p, n, e))
        return false;
    return (new_setting(cost, setting) && crypt_text(p, n, setting, out)) ||
           error_set(e, ERR_INTERNAL_ERROR, "cannot hash a password: memory or randomness is out");
}

static bool could_be_one(const char *p, size_t n)
{
    return n > 0 && n <= PASSWORD_MAX && !memchr(p, '\0', n);
}

bool password_check(const char *hash, const char *p, size_t n)
{
    char made[PASSWORD_HASH_MAX];
    size_t length = strlen(hash);
    bool same = could_be_one(p, n) && length < PASSWORD_HASH_MAX &&
                strncmp(hash, METHOD, strlen(METHOD)) == 0 && crypt_text(p, n, hash, made) &&
                strlen(made) == length && secret_equal(made, hash, length);
    secret_wipe(made, sizeof made);
    return same;
}

bool password_check_nobody(const char *p, size_t n, int cost)
{
    char setting[CRYPT_GENSALT_OUTPUT_SIZE], made[PASSWORD_HASH_MAX];
    if (could_be_one(p, n) && new_setting(cost, setting))
        crypt_text(p, n, setting, made);
    secret_wipe(made, sizeof made);
    return false;
}

/* "$y$j9T$": the method and its cost stand before the third dollar. */
static size_t cost_length(const char *hash)
{
    const char *end =
        strncmp(hash, METHOD, strlen(METHOD)) == 0 ? strchr(hash + strlen(METHOD), '$') : NULL;
    return end ? (size_t)(end - hash) : 0;
}

bool password_is_outdated(const char *hash, int cost)
{
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];
    size_t n = cost_length(hash);
    return n == 0 || !new_setting(cost, setting) || n != cost_length(setting) ||
           strncmp(hash, setting, n) != 0;
}
