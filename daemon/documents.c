#include "daemon/documents.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/mem.h"
#include "daemon/reactor.h"
#include "daemon/stored_queries.h"

enum { DOCUMENTS_MAX = 6 }; /* three, each with the stored queries and without */

struct documents {
    document kept[DOCUMENTS_MAX];
    int n;
};

/* ---- stored queries ---------------------------------------------------------------------------
 */

/* Behind the last path, which is the last thing of the document (specgen sees to it). JSON ends
 * with the braces of "paths" and of the whole; to YAML, JSON is just another way to write a value.
 */
static void add_path(buf *out, bool yaml, const char *path, const json_t *item)
{
    char *text = json_dumps(item, JSON_COMPACT);
    if (!text)
        out->failed = true;
    else if (yaml)
        buf_addf(out, "  \"%s\": %s\n", path, text);
    else
        buf_addf(out, ",\"%s\":%s", path, text);
    free(text); /* jansson's, by malloc */
}

static void add_stored_queries(buf *out, stored_queries *s, bool yaml)
{
    const char *path;
    json_t *item, *paths = json_object(), *doc = json_pack("{s:o}", "paths", paths);
    if (!doc) {
        out->failed = true;
        return;
    }
    stored_queries_describe(s, doc);
    json_object_foreach(paths, path, item) add_path(out, yaml, path, item);
    json_decref(doc);
}

/* ---- making one -------------------------------------------------------------------------------
 */

static void pack(buf *out, const buf *from)
{
    z_stream z = {0};
    if (from->failed ||
        deflateInit2(&z, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        out->failed = true;
        return;
    }
    char *room = buf_reserve(out, deflateBound(&z, from->len));
    if (room) {
        z.next_in = (Bytef *)from->data;
        z.avail_in = (uInt)from->len;
        z.next_out = (Bytef *)room;
        z.avail_out = (uInt)(out->cap - out->len);
        out->failed = deflate(&z, Z_FINISH) != Z_STREAM_END;
        out->len += z.total_out;
    }
    deflateEnd(&z);
}

static void make(document *d, stored_queries *s)
{
    static const char json_end[] = "}}";
    size_t n = (size_t)(d->of->to - d->of->from);
    bool yaml = strcmp(d->of->type, "application/json") != 0;
    bool open = d->stored && strstr(d->of->name, "/openapi.") != NULL;
    buf_clear(&d->plain);
    buf_clear(&d->packed);
    d->plain.failed = d->packed.failed = false;
    buf_add(&d->plain, d->of->from, open && !yaml ? n - (sizeof json_end - 1) : n);
    if (open)
        add_stored_queries(&d->plain, s, yaml);
    if (open && !yaml)
        buf_adds(&d->plain, json_end);
    pack(&d->packed, &d->plain);
    etag_make(d->plain.data, d->plain.len, d->plain_etag);
    etag_make(d->packed.data, d->packed.len, d->packed_etag);
}

/* ---- the interface ----------------------------------------------------------------------------
 */

static document *slot_of(documents *all, const asset *a, bool stored)
{
    for (int i = 0; i < all->n; i++) {
        if (all->kept[i].of == a && all->kept[i].stored == stored)
            return &all->kept[i];
    }
    return all->n < DOCUMENTS_MAX ? &all->kept[all->n] : NULL;
}

const document *documents_get(reactor *r, const asset *a, bool stored)
{
    if (!r->documents)
        r->documents = mem_zalloc(sizeof *r->documents);
    document *d = r->documents ? slot_of(r->documents, a, stored) : NULL;
    if (!d)
        return NULL;
    uint64_t now = stored_queries_generation(r->d->stored);
    if (d->of == a && d->generation == now && !d->plain.failed && !d->packed.failed)
        return d;
    if (!d->of)
        r->documents->n++;
    d->of = a;
    d->stored = stored;
    d->generation = now;
    make(d, r->d->stored);
    return d;
}

void documents_free(documents *d)
{
    for (int i = 0; d && i < d->n; i++) {
        buf_free(&d->kept[i].plain);
        buf_free(&d->kept[i].packed);
    }
    mem_free(d);
}
