#include "auth/role_sets.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "auth/role.h"
#include "base/buf.h"
#include "base/map.h"
#include "base/mem.h"

enum { SETS_MAX = 4096 }; /* that are remembered */

/* Roles with all that they inherit, each once, in the order in which they were come by. */
typedef struct closure {
    auth_document *roles[ROLE_CLOSURE_MAX]; /* held */
    int n;
    bool admin; /* the role that may everything is among them */
} closure;

typedef struct role_set {
    rights *rights;   /* held */
    uint64_t version; /* of the roles when it was last compared with them */
    int n;
    auth_document **roles; /* held: what the rights were made of */
} role_set;

struct role_sets {
    auth_store *store;
    pthread_mutex_t lock; /* guards the rest */
    map sets;             /* by names: role_set */
    rights *everything;
};

static bool no_memory(error *e)
{
    return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
}

/* ---- inheritance -------------------------------------------------------------------------------
 */

static void closure_free(closure *c)
{
    for (int i = 0; i < c->n; i++)
        auth_document_release(c->roles[i]);
}

static bool has(const closure *c, const char *name)
{
    for (int i = 0; i < c->n; i++) {
        if (strcmp(c->roles[i]->name, name) == 0)
            return true;
    }
    return false;
}

/* Adds a role that is not there yet. False when there is none of this name, or no room. */
static bool add(auth_store *s, closure *c, const char *name)
{
    if (strcmp(name, ROLE_ADMIN) == 0) {
        c->admin = true;
        return true;
    }
    if (has(c, name))
        return true;
    auth_document *role = c->n < ROLE_CLOSURE_MAX ? auth_store_find(s, AUTH_ROLE, name) : NULL;
    if (role)
        c->roles[c->n++] = role;
    return role != NULL;
}

/* Adds what they inherit, level by level; how many levels that were. */
static int add_inherited(auth_store *s, closure *c)
{
    int levels = 0;
    for (int from = 0; from < c->n; levels++) {
        int to = c->n;
        for (; from < to; from++) {
            const auth_role *r = auth_role_of(c->roles[from]);
            for (int k = 0; k < r->n_inherits; k++)
                add(s, c, r->inherits[k]);
        }
    }
    return levels;
}

static bool check_limits(const closure *c, int levels, const auth_document *role, error *e)
{
    if (has(c, role->name))
        return error_set(e, ERR_INVALID_MESSAGE, "the role \"%s\" would inherit itself",
                         role->name);
    if (c->n == ROLE_CLOSURE_MAX)
        return error_set(e, ERR_INVALID_MESSAGE, "the role \"%s\" would inherit %d roles or more",
                         role->name, ROLE_CLOSURE_MAX);
    return levels <= ROLE_DEPTH_MAX ||
           error_set(e, ERR_INVALID_MESSAGE,
                     "the role \"%s\" would inherit over %d levels: %d are the most", role->name,
                     levels, ROLE_DEPTH_MAX);
}

bool role_sets_check(auth_store *s, const auth_document *role, error *e)
{
    const auth_role *r = auth_role_of(role);
    closure c = {0};
    bool ok = true;
    for (int i = 0; ok && i < r->n_inherits; i++)
        ok = add(s, &c, r->inherits[i]) ||
             error_set(e, ERR_INVALID_MESSAGE, "inherits: there is no role \"%s\"", r->inherits[i]);
    ok = ok && check_limits(&c, add_inherited(s, &c), role, e);
    closure_free(&c);
    return ok;
}

/* ---- sets --------------------------------------------------------------------------------------
 */

static void set_free(role_set *set)
{
    if (!set)
        return;
    rights_release(set->rights);
    for (int i = 0; i < set->n; i++)
        auth_document_release(set->roles[i]);
    mem_free(set->roles);
    mem_free(set);
}

static rights *make_rights(const closure *c)
{
    rights_role *roles = mem_alloc((size_t)(c->n + 1) * sizeof *roles);
    if (!roles)
        return NULL;
    for (int i = 0; i < c->n; i++)
        roles[i] = auth_role_of(c->roles[i])->gives;
    rights *r = rights_new(roles, c->n);
    mem_free(roles);
    return r;
}

static role_set *make_set(role_sets *r, const closure *c)
{
    role_set *set = mem_zalloc(sizeof *set);
    if (!set)
        return NULL;
    set->rights = c->admin ? rights_hold(r->everything) : make_rights(c);
    set->roles = mem_alloc((size_t)(c->n + 1) * sizeof(auth_document *));
    if (!set->rights || !set->roles) {
        set_free(set);
        return NULL;
    }
    for (; set->n < c->n; set->n++)
        set->roles[set->n] = auth_document_hold(c->roles[set->n]);
    return set;
}

/* Whether it was made of these very documents. */
static bool is_made_of(const role_sets *r, const role_set *set, const closure *c)
{
    if (set->n != c->n || c->admin != (set->rights == r->everything))
        return false;
    for (int i = 0; i < c->n; i++) {
        if (set->roles[i] != c->roles[i])
            return false;
    }
    return true;
}

static void forget_all(role_sets *r)
{
    size_t at = 0;
    for (map_slot *slot = map_next(&r->sets, &at); slot; slot = map_next(&r->sets, &at))
        set_free(slot->value);
    map_free(&r->sets);
    r->sets = (map){0};
}

/* Puts the rights together, or finds that they are as before. */
static role_set *look_again(role_sets *r, const buf *key, const char *const *names, int n)
{
    closure *c = mem_zalloc(sizeof *c);
    if (!c)
        return NULL;
    for (int i = 0; i < n; i++)
        add(r->store, c, names[i]);
    add_inherited(r->store, c);
    role_set *set = map_get(&r->sets, key->data, key->len);
    if (!set || !is_made_of(r, set, c)) {
        void *before = NULL;
        if (!set && r->sets.count >= SETS_MAX)
            forget_all(r);
        set = make_set(r, c);
        if (set && !map_put(&r->sets, key->data, key->len, set, &before)) {
            set_free(set);
            set = NULL;
        }
        set_free(before);
    }
    closure_free(c);
    mem_free(c);
    return set;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names in order, each with a NUL behind it. */
static bool make_key(buf *key, const char **names, int n)
{
    if (n > 1)
        qsort(names, (size_t)n, sizeof *names, compare);
    for (int i = 0; i < n; i++)
        buf_add(key, names[i], strlen(names[i]) + 1);
    buf_addc(key, '\0');
    return !key->failed;
}

static rights *find(role_sets *r, const buf *key, const char *const *names, int n)
{
    /* Read before the roles are, so that what changes meanwhile is looked at again. */
    uint64_t version = auth_store_version(r->store, AUTH_ROLE);
    pthread_mutex_lock(&r->lock);
    role_set *set = map_get(&r->sets, key->data, key->len);
    if (!set || set->version != version) {
        set = look_again(r, key, names, n);
        if (set)
            set->version = version;
    }
    rights *found = set ? rights_hold(set->rights) : NULL;
    pthread_mutex_unlock(&r->lock);
    return found;
}

rights *role_sets_rights(role_sets *r, const char *const *names, int n, error *e)
{
    buf key = BUF_INIT;
    const char **sorted = mem_alloc((size_t)(n + 1) * sizeof *sorted);
    if (sorted && n)
        memcpy(sorted, names, (size_t)n * sizeof *sorted);
    rights *found = sorted && make_key(&key, sorted, n) ? find(r, &key, sorted, n) : NULL;
    mem_free(sorted);
    buf_free(&key);
    if (!found)
        no_memory(e);
    return found;
}

/* ---- start and end -----------------------------------------------------------------------------
 */

role_sets *role_sets_new(auth_store *s)
{
    role_sets *r = mem_zalloc(sizeof *r);
    if (!r)
        return NULL;
    r->store = s;
    r->everything = rights_everything();
    if (!r->everything) {
        mem_free(r);
        return NULL;
    }
    pthread_mutex_init(&r->lock, NULL);
    return r;
}

void role_sets_free(role_sets *r)
{
    if (!r)
        return;
    forget_all(r);
    rights_release(r->everything);
    pthread_mutex_destroy(&r->lock);
    mem_free(r);
}
