#include "engine/access.h"

#include <openssl/evp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/map.h"
#include "base/mem.h"

struct access_set {
    atomic_uint refs;
    uint64_t id;
    char digest[ACCESS_DIGEST + 1];
    arena mem;
    map tables;        /* a name in small letters -> access_table, of all names that roles give */
    access_table rest; /* for every other table */
};

enum { NAME_MAX_LEN = 1024 };

static atomic_ullong last_id;

/* ---- making -----------------------------------------------------------------------------------
 */

static char *copy(arena *mem, const char *text, bool *ok)
{
    char *to = text ? arena_strndup(mem, text, strlen(text)) : NULL;
    if (text && !to)
        *ok = false;
    return to;
}

static bool copy_grant(arena *mem, access_grant *to, const access_grant *g)
{
    bool ok = true;
    *to = *g;
    to->table = copy(mem, g->table, &ok);
    to->where = copy(mem, g->where, &ok);
    to->check = copy(mem, g->check, &ok);
    const char **columns = arena_alloc(mem, (size_t)(g->n_columns + 1) * sizeof *columns);
    access_mask *masks = arena_alloc(mem, (size_t)(g->n_masks + 1) * sizeof *masks);
    if (!columns || !masks)
        return false;
    for (int i = 0; i < g->n_columns; i++)
        columns[i] = copy(mem, g->columns[i], &ok);
    for (int i = 0; i < g->n_masks; i++) {
        masks[i].column = copy(mem, g->masks[i].column, &ok);
        masks[i].sql = copy(mem, g->masks[i].sql, &ok);
    }
    to->columns = columns;
    to->masks = masks;
    return ok;
}

/* Roles with grants of this access's own. */
static access_role *copy_roles(arena *mem, const access_role *roles, int n)
{
    access_role *to = arena_alloc(mem, (size_t)(n + 1) * sizeof *to);
    for (int i = 0; to && i < n; i++) {
        access_grant *grants = arena_alloc(mem, (size_t)(roles[i].n_grants + 1) * sizeof *grants);
        if (!grants)
            return NULL;
        for (int k = 0; k < roles[i].n_grants; k++) {
            if (!copy_grant(mem, &grants[k], &roles[i].grants[k]))
                return NULL;
        }
        to[i] = (access_role){roles[i].n_grants, grants};
    }
    return to;
}

/* The grants of a role, those for one table beside each other, else as the role has them. */
typedef struct sorted_role {
    int n;
    const access_grant **grants;
} sorted_role;

static int compare_grants(const void *left, const void *right)
{
    const access_grant *a = *(const access_grant *const *)left;
    const access_grant *b = *(const access_grant *const *)right;
    int order = strcasecmp(a->table, b->table);
    return order ? order : (a > b) - (a < b); /* they stand in one array */
}

static const sorted_role *sort_roles(arena *mem, const access_role *roles, int n)
{
    sorted_role *to = arena_alloc(mem, (size_t)(n + 1) * sizeof *to);
    for (int i = 0; to && i < n; i++) {
        to[i].n = roles[i].n_grants;
        to[i].grants = arena_alloc(mem, (size_t)(to[i].n + 1) * sizeof(void *));
        if (!to[i].grants)
            return NULL;
        for (int k = 0; k < to[i].n; k++)
            to[i].grants[k] = &roles[i].grants[k];
        qsort(to[i].grants, (size_t)to[i].n, sizeof(void *), compare_grants);
    }
    return to;
}

/* The place of the first grant for a table, or of one that stands behind where it would be. */
static int first_grant(const sorted_role *r, const char *table)
{
    int low = 0, high = r->n;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (strcasecmp(r->grants[middle]->table, table) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The grants of a role that count for a table; to NULL: their number alone. */
static int take_grants(const sorted_role *r, const char *table, const access_grant **to)
{
    int n = 0;
    for (int i = first_grant(r, table); i < r->n; i++) {
        if (strcasecmp(r->grants[i]->table, table) != 0)
            break;
        if (to)
            to[n] = r->grants[i];
        n++;
    }
    return n || strcmp(table, "*") == 0 ? n : take_grants(r, "*", to);
}

static bool fill(arena *mem, access_table *t, const sorted_role *roles, int n, const char *table)
{
    int total = 0;
    for (int i = 0; i < n; i++)
        total += take_grants(&roles[i], table, NULL);
    const access_grant **all = arena_alloc(mem, (size_t)(total + 1) * sizeof(void *));
    if (!all)
        return false;
    *t = (access_table){.grants = all};
    for (int i = 0; i < n; i++)
        t->n_grants += take_grants(&roles[i], table, all + t->n_grants);
    for (int i = 0; i < t->n_grants; i++)
        t->ops |= all[i]->ops;
    return true;
}

/* In small letters (ASCII); its length, or -1 where it is longer than any name can be. */
static int fold(const char *name, char out[NAME_MAX_LEN])
{
    size_t n = strlen(name);
    if (n >= NAME_MAX_LEN)
        return -1;
    for (size_t i = 0; i <= n; i++)
        out[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] + 32) : name[i];
    return (int)n;
}

static bool add_table(access_set *a, const sorted_role *roles, int n, const char *table)
{
    char key[NAME_MAX_LEN];
    int len = fold(table, key);
    if (strcmp(table, "*") == 0 || len < 0 || map_get(&a->tables, key, (size_t)len))
        return true;
    access_table *t = arena_alloc(&a->mem, sizeof *t);
    return t && fill(&a->mem, t, roles, n, table) && map_put(&a->tables, key, (size_t)len, t, NULL);
}

/* Each with its length before it, so that no two lists of texts come to the same. */
static void write_text(buf *out, const char *text)
{
    if (text)
        buf_addf(out, "%zu:%s", strlen(text), text);
    buf_addc(out, ';');
}

void access_grant_write(buf *out, const access_grant *g)
{
    write_text(out, g->table);
    buf_addf(out, "%u %d %d ", g->ops, g->expose_key, g->n_columns);
    for (int i = 0; i < g->n_columns; i++)
        write_text(out, g->columns[i]);
    write_text(out, g->where);
    write_text(out, g->check);
    buf_addf(out, "%d ", g->n_masks);
    for (int i = 0; i < g->n_masks; i++) {
        write_text(out, g->masks[i].column);
        write_text(out, g->masks[i].sql);
    }
}

bool access_hash(const buf *text, char out[ACCESS_DIGEST + 1])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    if (text->failed || EVP_Digest(text->data, text->len, digest, NULL, EVP_sha256(), NULL) != 1)
        return false;
    for (size_t i = 0; i < ACCESS_DIGEST / 2; i++)
        snprintf(out + i * 2, 3, "%02x", digest[i]);
    return true;
}

/* Roles count one by one: within one, a grant for a table takes the place of those for "*". */
static bool set_digest(access_set *a, const access_role *roles, int n)
{
    buf text = BUF_INIT;
    for (int i = 0; i < n; i++) {
        buf_addf(&text, "role %d ", roles[i].n_grants);
        for (int k = 0; k < roles[i].n_grants; k++)
            access_grant_write(&text, &roles[i].grants[k]);
    }
    bool ok = access_hash(&text, a->digest);
    buf_free(&text);
    return ok;
}

static bool build(access_set *a, const access_role *from, int n)
{
    const access_role *own = copy_roles(&a->mem, from, n);
    const sorted_role *roles = own ? sort_roles(&a->mem, own, n) : NULL;
    if (!roles || !fill(&a->mem, &a->rest, roles, n, "*"))
        return false;
    for (int i = 0; i < n; i++) {
        for (int k = 0; k < roles[i].n; k++) {
            if (!add_table(a, roles, n, roles[i].grants[k]->table))
                return false;
        }
    }
    return true;
}

access_set *access_new(const access_role *roles, int n_roles)
{
    access_set *a = mem_zalloc(sizeof *a);
    if (!a)
        return NULL;
    atomic_init(&a->refs, 1);
    a->id = atomic_fetch_add(&last_id, 1) + 1;
    if (build(a, roles, n_roles) && set_digest(a, roles, n_roles))
        return a;
    access_release(a);
    return NULL;
}

access_set *access_hold(const access_set *a)
{
    access_set *own = (access_set *)(uintptr_t)a;
    if (own)
        atomic_fetch_add_explicit(&own->refs, 1, memory_order_relaxed);
    return own;
}

void access_release(const access_set *a)
{
    access_set *own = (access_set *)(uintptr_t)a;
    if (!own || atomic_fetch_sub_explicit(&own->refs, 1, memory_order_acq_rel) != 1)
        return;
    map_free(&own->tables);
    arena_free(&own->mem);
    mem_free(own);
}

uint64_t access_id(const access_set *a)
{
    return a ? a->id : 0;
}

const char *access_digest(const access_set *a)
{
    return a ? a->digest : "";
}

/* ---- asking -----------------------------------------------------------------------------------
 */

const access_table *access_find(const access_set *a, const char *table)
{
    char key[NAME_MAX_LEN];
    int len = fold(table, key);
    const access_table *t = len < 0 ? NULL : map_get(&a->tables, key, (size_t)len);
    return t ? t : &a->rest;
}

bool access_is_named(const access_set *a, const char *table)
{
    return access_find(a, table) != &a->rest;
}

bool access_grant_has(const access_grant *g, const char *column)
{
    if (!g->n_columns || !*column)
        return true;
    for (int i = 0; i < g->n_columns; i++) {
        if (strcasecmp(g->columns[i], column) == 0)
            return true;
    }
    return false;
}

bool access_column(const access_table *t, access_op op, const char *column)
{
    for (int i = 0; i < t->n_grants; i++) {
        if (t->grants[i]->ops & op && access_grant_has(t->grants[i], column))
            return true;
    }
    return false;
}

/* For every row, and without masks. */
static bool is_simple(const access_grant *g, access_op op)
{
    bool every_row = !g->where && (!g->check || !(op & (ACCESS_INSERT | ACCESS_UPDATE)));
    return g->ops & op && every_row && (op != ACCESS_SELECT || !g->n_masks);
}

bool access_is_plain(const access_table *t, access_op op)
{
    for (int i = 0; i < t->n_grants; i++) {
        if (is_simple(t->grants[i], op) && !t->grants[i]->n_columns)
            return true;
    }
    return false;
}

bool access_is_plain_column(const access_table *t, access_op op, const char *column)
{
    for (int i = 0; i < t->n_grants; i++) {
        if (is_simple(t->grants[i], op) && access_grant_has(t->grants[i], column))
            return true;
    }
    return false;
}

bool access_is_filtered(const access_table *t)
{
    bool any = false;
    for (int i = 0; i < t->n_grants; i++) {
        const access_grant *g = t->grants[i];
        any = any || (g->ops & ACCESS_SELECT && !is_simple(g, ACCESS_SELECT));
    }
    return any && !access_is_plain(t, ACCESS_SELECT);
}

/* Never counted down to nothing: it starts with a reference of its own. */
static access_set nothing = {.refs = 1, .id = UINT64_MAX};
const viewer viewer_nobody = {.access = &nothing, .user = ""};
