#include "auth/rights.h"

#include <stdatomic.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"

struct rights {
    atomic_uint refs;
    bool everything;
    access_set *access;
    unsigned scopes, streams;
    int n_channels;
    channel_rule *channels;
    int n_roles;
    const char **roles;
    arena mem;
};

static const struct {
    const char *name, *explanation;
} scopes[] = {
#define SCOPE(name, explanation) {#name, explanation},
#include "auth/scopes.def"
#undef SCOPE
};

static const struct {
    const char *name;
    unsigned bit;
} streams[] = {
    {"metrics", STREAM_METRICS},
    {"replication", STREAM_REPLICATION},
    {"queries", STREAM_QUERIES},
    {"system", STREAM_SYSTEM},
};

/* ---- making -----------------------------------------------------------------------------------
 */

static rights *start(void)
{
    rights *r = mem_zalloc(sizeof *r);
    if (r)
        atomic_init(&r->refs, 1);
    return r;
}

static bool copy_channels(rights *r, const rights_role *roles, int n)
{
    int total = 0;
    for (int i = 0; i < n; i++)
        total += roles[i].n_channels;
    r->channels = arena_alloc(&r->mem, (size_t)(total + 1) * sizeof *r->channels);
    if (!r->channels)
        return false;
    for (int i = 0; i < n; i++) {
        for (int k = 0; k < roles[i].n_channels; k++) {
            const channel_rule *from = &roles[i].channels[k];
            channel_rule *to = &r->channels[r->n_channels++];
            to->may = from->may;
            to->pattern = arena_strndup(&r->mem, from->pattern, strlen(from->pattern));
            if (!to->pattern)
                return false;
        }
    }
    return true;
}

static bool copy_names(rights *r, const rights_role *roles, int n)
{
    r->roles = arena_alloc(&r->mem, (size_t)(n + 1) * sizeof *r->roles);
    if (!r->roles)
        return false;
    for (int i = 0; i < n; i++) {
        const char *name = roles[i].name ? roles[i].name : "";
        r->roles[r->n_roles] = arena_strndup(&r->mem, name, strlen(name));
        if (!r->roles[r->n_roles++])
            return false;
    }
    return true;
}

static access_set *access_of_roles(const rights_role *roles, int n)
{
    access_role *tables = mem_alloc((size_t)(n + 1) * sizeof *tables);
    if (!tables)
        return NULL;
    for (int i = 0; i < n; i++)
        tables[i] = roles[i].tables;
    access_set *a = access_new(tables, n);
    mem_free(tables);
    return a;
}

rights *rights_new(const rights_role *roles, int n_roles)
{
    rights *r = start();
    if (!r)
        return NULL;
    for (int i = 0; i < n_roles; i++) {
        r->scopes |= roles[i].scopes;
        r->streams |= roles[i].streams;
    }
    r->access = access_of_roles(roles, n_roles);
    if (r->access && copy_channels(r, roles, n_roles) && copy_names(r, roles, n_roles))
        return r;
    rights_release(r);
    return NULL;
}

rights *rights_everything(void)
{
    rights *r = start();
    if (!r)
        return NULL;
    r->everything = true;
    r->scopes = SCOPE_ALL;
    r->streams = STREAM_ALL;
    return r;
}

rights *rights_hold(const rights *r)
{
    rights *own = (rights *)(uintptr_t)r;
    if (own)
        atomic_fetch_add_explicit(&own->refs, 1, memory_order_relaxed);
    return own;
}

void rights_release(const rights *r)
{
    rights *own = (rights *)(uintptr_t)r;
    if (!own || atomic_fetch_sub_explicit(&own->refs, 1, memory_order_acq_rel) != 1)
        return;
    access_release(own->access);
    arena_free(&own->mem);
    mem_free(own);
}

/* ---- asking -----------------------------------------------------------------------------------
 */

bool rights_all(const rights *r)
{
    return r->everything;
}

int rights_n_roles(const rights *r)
{
    return r->n_roles;
}

const char *rights_role_name(const rights *r, int i)
{
    return r->roles[i];
}

bool rights_have(const rights *r, const char *role)
{
    for (int i = 0; i < r->n_roles; i++) {
        if (strcmp(r->roles[i], role) == 0)
            return true;
    }
    return r->everything;
}

const access_set *rights_access(const rights *r)
{
    return r->access;
}

unsigned rights_scopes(const rights *r)
{
    return r->scopes;
}

unsigned rights_streams(const rights *r)
{
    return r->streams;
}

/* Goes back to the last '*' alone when something does not fit, so that it takes no longer than the
 * product of the two lengths. */
static bool fits(const char *pattern, const char *name)
{
    const char *star = NULL, *from = NULL;
    while (*name) {
        if (*pattern == '*') {
            star = pattern++;
            from = name;
        } else if (*pattern == *name) {
            pattern++;
            name++;
        } else if (star) {
            pattern = star + 1;
            name = ++from;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return !*pattern;
}

bool rights_channel(const rights *r, const char *channel, unsigned what)
{
    for (int i = 0; i < r->n_channels; i++) {
        if (r->channels[i].may & what && fits(r->channels[i].pattern, channel))
            return true;
    }
    return r->everything;
}

/* ---- names ------------------------------------------------------------------------------------
 */

const char *scope_name(auth_scope bit)
{
    return bit < SCOPE_COUNT ? scopes[bit].name : NULL;
}

const char *scope_explanation(auth_scope bit)
{
    return bit < SCOPE_COUNT ? scopes[bit].explanation : NULL;
}

unsigned scope_of(const char *name)
{
    for (unsigned i = 0; i < SCOPE_COUNT; i++) {
        if (strcmp(scopes[i].name, name) == 0)
            return 1u << i;
    }
    return 0;
}

const char *stream_name(unsigned stream)
{
    for (size_t i = 0; i < sizeof streams / sizeof *streams; i++) {
        if (streams[i].bit == stream)
            return streams[i].name;
    }
    return NULL;
}

unsigned stream_of(const char *name)
{
    for (size_t i = 0; i < sizeof streams / sizeof *streams; i++) {
        if (strcmp(streams[i].name, name) == 0)
            return streams[i].bit;
    }
    return 0;
}
