#include "audit/search.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"

/* ---- the filter --------------------------------------------------------------------------------
 */

/* Seconds east of Greenwich of "Z", "+01:00", "-0530" or nothing; false for anything else. */
static bool read_zone(const char *p, int *seconds)
{
    int hours, minutes, used = 0;
    *seconds = 0;
    if (!*p || strcmp(p, "Z") == 0 || strcmp(p, "z") == 0)
        return true;
    if ((*p != '+' && *p != '-') || sscanf(p + 1, "%2d:%2d%n", &hours, &minutes, &used) < 2 ||
        p[1 + used] || hours > 23 || minutes > 59 || hours < 0 || minutes < 0)
        return false;
    *seconds = (hours * 60 + minutes) * 60 * (*p == '-' ? -1 : 1);
    return true;
}

static int64_t read_fraction(const char **p)
{
    int64_t us = 0, unit = 100000;
    if (**p != '.')
        return 0;
    for (++*p; **p >= '0' && **p <= '9'; ++*p, unit /= 10)
        us += (**p - '0') * unit;
    return us;
}

static bool read_time(const char *name, const char *text, char out[CLOCK_RFC3339_LEN + 1], error *e)
{
    struct tm t = {0};
    int zone = 0;
    int64_t us = 0;
    const char *p = strptime(text, "%Y-%m-%d", &t);
    if (p && (*p == 'T' || *p == 't' || *p == ' ')) {
        p = strptime(p + 1, "%H:%M:%S", &t);
        us = p ? read_fraction(&p) : 0;
        if (p && !read_zone(p, &zone))
            p = NULL;
        else if (p)
            p = "";
    }
    if (!p || *p) {
        error_set(e, ERR_INVALID_MESSAGE, "%s is no time: \"%.60s\"", name, text);
        return error_hint(e, "Times look like 2026-01-02T03:04:05Z, or 2026-01-02.");
    }
    int64_t seconds = (int64_t)timegm(&t) - zone;
    if (seconds < 0)
        seconds = 0;
    clock_rfc3339(seconds * 1000000 + us, out);
    return true;
}

static bool read_outcome(audit_filter *f, const char *outcome, error *e)
{
    if (strcmp(outcome, "ok") == 0)
        f->outcome = 1;
    else if (strcmp(outcome, "refused") == 0)
        f->outcome = 2;
    else
        return error_set(e, ERR_INVALID_MESSAGE, "outcome is \"ok\" or \"refused\", not \"%.60s\"",
                         outcome);
    return true;
}

static bool read_user(audit_filter *f, const char *user, error *e)
{
    buf text = BUF_INIT;
    audit_text_put(&text, user);
    f->user = text.failed ? NULL : mem_strndup(text.data, text.len);
    buf_free(&text);
    return f->user || error_set(e, ERR_INTERNAL_ERROR, "out of memory");
}

bool audit_filter_read(audit_filter *f, const char *since, const char *until, const char *user,
                       const char *action, const char *outcome, error *e)
{
    *f = (audit_filter){0};
    if (action && (f->action = audit_action_find(action) + 1) == 0)
        return error_set(e, ERR_INVALID_MESSAGE, "there is no action \"%.60s\"", action);
    return (!since || read_time("since", since, f->since, e)) &&
           (!until || read_time("until", until, f->until, e)) &&
           (!outcome || read_outcome(f, outcome, e)) && (!user || read_user(f, user, e));
}

void audit_filter_free(audit_filter *f)
{
    mem_free(f->user);
    f->user = NULL;
}

/* ---- a line ------------------------------------------------------------------------------------
 */

typedef struct span {
    const char *p;
    size_t n;
} span;

/* The value of the member that begins at *p, which is moved behind it. */
static bool take_member(const char **p, const char *end, const char *key, span *v)
{
    size_t n = strlen(key);
    if ((size_t)(end - *p) < n || memcmp(*p, key, n) != 0)
        return false;
    v->p = *p += n;
    if (*p < end && **p == '"') {
        for (++*p; *p < end && **p != '"'; ++*p)
            *p += **p == '\\';
        ++*p;
    } else {
        while (*p < end && **p != ',')
            ++*p;
    }
    if (*p >= end)
        return false;
    v->n = (size_t)(*p - v->p);
    return true;
}

static bool is_text(span v, const char *text)
{
    size_t n = strlen(text);
    return v.n == n + 2 && memcmp(v.p + 1, text, n) == 0;
}

static bool fits_time(const audit_filter *f, span time)
{
    if (time.n != CLOCK_RFC3339_LEN + 2)
        return false;
    return (!*f->since || memcmp(time.p + 1, f->since, CLOCK_RFC3339_LEN) >= 0) &&
           (!*f->until || memcmp(time.p + 1, f->until, CLOCK_RFC3339_LEN) <= 0);
}

bool audit_filter_match(const audit_filter *f, const char *line, size_t n)
{
    span number, time, action, outcome, code, user;
    const char *p = line, *end = line + n;
    if (!take_member(&p, end, "{\"n\":", &number) || !take_member(&p, end, ",\"time\":", &time) ||
        !take_member(&p, end, ",\"action\":", &action) ||
        !take_member(&p, end, ",\"outcome\":", &outcome) ||
        !take_member(&p, end, ",\"code\":", &code) || !take_member(&p, end, ",\"user\":", &user))
        return false;
    return fits_time(f, time) && (!f->below || strtoll(number.p, NULL, 10) < f->below) &&
           (!f->action || is_text(action, audit_actions[f->action - 1].name)) &&
           (!f->outcome || is_text(outcome, f->outcome == 1 ? "ok" : "refused")) &&
           (!f->user || (strlen(f->user) == user.n && memcmp(f->user, user.p, user.n) == 0));
}

/* ---- files -------------------------------------------------------------------------------------
 */

typedef struct search {
    const audit_filter *filter;
    bool (*each)(void *arg, const char *line, size_t n);
    void *arg;
    bool ended;
} search;

static bool look_at(void *arg, const char *p, size_t n, int64_t at)
{
    search *s = arg;
    (void)at;
    if (n <= AUDIT_LINE_MAX && audit_filter_match(s->filter, p, n))
        s->ended = !s->each(s->arg, p, n);
    return !s->ended;
}

bool audit_search(const audit_files *files, const audit_filter *f,
                  bool (*each)(void *arg, const char *line, size_t n), void *arg, error *e)
{
    search s = {.filter = f, .each = each, .arg = arg};
    int64_t torn;
    bool ok = true;
    for (int i = 0; ok && !s.ended && i < files->n; i++)
        ok = audit_file_lines(files->all[i].fd, 0, files->all[i].size, look_at, &s, &torn, e);
    return ok;
}
