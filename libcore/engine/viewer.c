#include "engine/viewer.h"

#include <stdatomic.h>
#include <string.h>

#include "base/mem.h"

typedef struct kept_viewer {
    atomic_uint refs;
    viewer pub;
    char texts[]; /* user and claims, each with its NUL */
} kept_viewer;

static kept_viewer *own(const viewer *kept)
{
    return (kept_viewer *)((uintptr_t)kept - offsetof(kept_viewer, pub));
}

const viewer *viewer_keep(const viewer *v)
{
    size_t user = strlen(v->user ? v->user : "") + 1;
    size_t claims = v->claims ? strlen(v->claims) + 1 : 0;
    kept_viewer *k = mem_zalloc(sizeof *k + user + claims);
    if (!k)
        return NULL;
    atomic_init(&k->refs, 1);
    k->pub = *v;
    memcpy(k->texts, v->user ? v->user : "", user);
    k->pub.user = k->texts;
    if (v->claims)
        k->pub.claims = memcpy(k->texts + user, v->claims, claims);
    access_hold(v->access);
    return &k->pub;
}

const viewer *viewer_hold(const viewer *kept)
{
    if (kept)
        atomic_fetch_add_explicit(&own(kept)->refs, 1, memory_order_relaxed);
    return kept;
}

void viewer_release(const viewer *kept)
{
    if (!kept || atomic_fetch_sub_explicit(&own(kept)->refs, 1, memory_order_acq_rel) != 1)
        return;
    access_release(kept->access);
    mem_free(own(kept));
}

/* ---- keys -------------------------------------------------------------------------------------
 */

static void write_who(buf *out, const viewer *v)
{
    buf_addf(out, "%zu:%s %s", strlen(v->user ? v->user : ""), v->user ? v->user : "",
             v->claims ? v->claims : "");
}

static bool finish(buf *text, char out[VIEWER_KEY + 1])
{
    bool ok = access_hash(text, out);
    buf_free(text);
    return ok;
}

bool viewer_key(const viewer *v, char out[VIEWER_KEY + 1])
{
    buf text = BUF_INIT;
    out[0] = '\0';
    if (!v || !v->access)
        return true;
    buf_addf(&text, "all %s ", access_digest(v->access));
    write_who(&text, v);
    return finish(&text, out);
}

sight_kind viewer_sees(const viewer *v, const char *table)
{
    if (!v || !v->access)
        return SIGHT_PLAIN;
    const access_table *t = access_find(v->access, table);
    if (!(t->ops & ACCESS_SELECT))
        return SIGHT_NONE;
    return access_is_plain(t, ACCESS_SELECT) ? SIGHT_PLAIN : SIGHT_LENS;
}

bool viewer_table_key(const viewer *v, const char *table, sight_kind *kind,
                      char out[VIEWER_KEY + 1])
{
    buf text = BUF_INIT;
    bool decides = false;
    out[0] = '\0';
    *kind = viewer_sees(v, table);
    if (*kind == SIGHT_PLAIN)
        return true;
    buf_adds(&text, *kind == SIGHT_NONE ? "none" : "lens ");
    const access_table *t = access_find(v->access, table);
    for (int i = 0; *kind == SIGHT_LENS && i < t->n_grants; i++) {
        const access_grant *g = t->grants[i];
        if (!(g->ops & ACCESS_SELECT))
            continue;
        access_grant_write(&text, g);
        decides |= g->where || g->n_masks;
    }
    if (decides)
        write_who(&text, v);
    return finish(&text, out);
}
