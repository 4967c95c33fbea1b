#include "daemon/publication.h"
#include "base/mem.h"

publication *publication_new(const char *type, const char *json, size_t len, error *e)
{
    publication *p = mem_zalloc(sizeof *p);
    char *copy = p ? mem_strndup(json, len) : NULL;
    if (!copy) {
        mem_free(p);
        error_set(e, ERR_INTERNAL_ERROR, "out of memory");
        return NULL;
    }
    atomic_init(&p->refs, 1);
    p->type = type;
    p->json = copy;
    p->len = len;
    return p;
}

publication *publication_ref(publication *p)
{
    atomic_fetch_add(&p->refs, 1);
    return p;
}

void publication_unref(publication *p)
{
    if (!p || atomic_fetch_sub(&p->refs, 1) > 1)
        return;
    for (int i = 0; i < FORM_COUNT; i++)
        refbuf_unref(atomic_load(&p->frames[i]));
    mem_free(p->json);
    mem_free(p);
}

static refbuf *write_frame(const publication *p, int form)
{
    buf frame = BUF_INIT;
    const form_message m = {.type = p->type, .json = p->json, .len = p->len};
    form_write(&frame, form, &m);
    refbuf *made = frame.failed ? NULL : refbuf_new(frame.data, frame.len);
    buf_free(&frame);
    return made;
}

const refbuf *publication_frame(publication *p, int form)
{
    refbuf *there = atomic_load(&p->frames[form]);
    if (there)
        return there;
    refbuf *made = write_frame(p, form);
    if (made && !atomic_compare_exchange_strong(&p->frames[form], &there, made)) {
        refbuf_unref(made); /* another reactor was quicker */
        return there;
    }
    return made;
}
