#include "daemon/harden.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon/seccomp.h"

/* ---- memory ------------------------------------------------------------------------------------
 */

/* The leak checker of a sanitized build traces the process, which this forbids. */
static void hide_memory(const config *cfg)
{
    const struct rlimit none = {0, 0};
    if (cfg->core_dumps || !seccomp_is_built_in())
        return;
    if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        log_warn("core_dumps", "core dumps could not be switched off: %s", strerror(errno));
}

/* ---- who to be ---------------------------------------------------------------------------------
 */

static bool is_number(const char *text)
{
    size_t n = strlen(text);
    return n > 0 && n < 10 && strspn(text, "0123456789") == n;
}

static bool find_user(harden *h, const char *name, error *e)
{
    const struct passwd *pw = getpwnam(name);
    if (!pw && is_number(name))
        pw = getpwuid((uid_t)atol(name));
    if (!pw)
        return error_set(e, ERR_INVALID_MESSAGE, "user: there is no user %.60s", name);
    h->uid = pw->pw_uid;
    h->gid = pw->pw_gid;
    return true;
}

static bool find_group(harden *h, const char *name, error *e)
{
    const struct group *gr = getgrnam(name);
    if (!gr && is_number(name))
        gr = getgrgid((gid_t)atol(name));
    if (!gr)
        return error_set(e, ERR_INVALID_MESSAGE, "group: there is no group %.60s", name);
    h->gid = gr->gr_gid;
    return true;
}

static bool find_identity(harden *h, const config *cfg, error *e)
{
    if (!*cfg->user)
        return !*cfg->group || error_set(e, ERR_INVALID_MESSAGE, "group goes with user");
    if (!find_user(h, cfg->user, e) || (*cfg->group && !find_group(h, cfg->group, e)))
        return false;
    if (geteuid() == 0) {
        h->drops = h->uid != 0;
        return true;
    }
    if (geteuid() == h->uid && getegid() == h->gid)
        return true;
    error_set(e, ERR_PERMISSION_DENIED, "only root can become the user %.60s", cfg->user);
    return error_hint(e, "Start as root, or as that user without the setting.");
}

bool harden_begin(harden *h, const config *cfg, error *e)
{
    *h = (harden){0};
    umask(077);
    hide_memory(cfg);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        log_warn("no_new_privs", "cannot be set: %s", strerror(errno));
    return find_identity(h, cfg, e);
}

/* ---- becoming it -------------------------------------------------------------------------------
 */

static bool cannot(const char *what, error *e)
{
    return error_set(e, ERR_PERMISSION_DENIED, "cannot %s: %s", what, strerror(errno));
}

bool harden_user(const harden *h, error *e)
{
    if (!h->drops)
        return true;
    if (setgroups(1, &h->gid) != 0 || setegid(h->gid) != 0 || seteuid(h->uid) != 0)
        return cannot("act as the user that is set", e);
    return true;
}

bool harden_regain(const harden *h, error *e)
{
    if (!h->drops)
        return true;
    return (seteuid(0) == 0 && setegid(0) == 0) || cannot("act as root again", e);
}

/* The C library does this for all threads. */
static bool drop(const harden *h, error *e)
{
    uid_t r, f, s;
    gid_t rg, fg, sg;
    if (setgroups(1, &h->gid) != 0 || setresgid(h->gid, h->gid, h->gid) != 0 ||
        setresuid(h->uid, h->uid, h->uid) != 0)
        return cannot("give up the rights of root", e);
    bool gone = getresuid(&r, &f, &s) == 0 && r == h->uid && f == h->uid && s == h->uid &&
                getresgid(&rg, &fg, &sg) == 0 && rg == h->gid && fg == h->gid && sg == h->gid &&
                setresuid((uid_t)-1, 0, (uid_t)-1) != 0 && setresgid((gid_t)-1, 0, (gid_t)-1) != 0;
    return gone || error_set(e, ERR_INTERNAL_ERROR, "the rights of root are not gone");
}

static seccomp_mode mode_of(const config *cfg)
{
    return strcmp(cfg->seccomp, "on") == 0    ? SECCOMP_ON
           : strcmp(cfg->seccomp, "log") == 0 ? SECCOMP_LOG_ONLY
                                              : SECCOMP_OFF;
}

bool harden_seal(const harden *h, const config *cfg, error *e)
{
    if (h->drops) {
        if (!drop(h, e))
            return false;
        /* Another user begins with the system's choice again. */
        if (cfg->core_dumps)
            prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
        else
            hide_memory(cfg);
        log_info("user", "runs as user %u, group %u", (unsigned)h->uid, (unsigned)h->gid);
    }
    return seccomp_enter(mode_of(cfg), e);
}
