#include "base/mem.h"
#include "feed/state.h"

enum { KEEP_PENDING = 16384 }; /* bytes of buffer that an outlet keeps between slices */

outlet *outlet_get(feed *f, stream *s, int form)
{
    list_each(it, &s->outlets)
    {
        outlet *o = list_entry(it, outlet, link);
        if (o->form == form)
            return o;
    }
    outlet *o = mem_zalloc(sizeof *o);
    if (!o)
        return NULL;
    list_init(&o->dirty);
    list_init(&o->live_subs);
    list_init(&o->behind_subs);
    list_init(&o->behind);
    o->id = ++f->last_outlet;
    o->stream = s;
    o->form = form;
    list_append(&s->outlets, &o->link);
    return o;
}

void outlet_free(outlet *o)
{
    list_unlink(&o->link);
    list_unlink(&o->dirty);
    list_unlink(&o->behind);
    buf_free(&o->pending);
    mem_free(o);
}

/* ---- frames -----------------------------------------------------------------------------------
 */

bool outlet_render(feed *f, const outlet *o, const log_record *rec, bool *made, buf *out)
{
    const feed_form *form = &f->config.forms[o->form];
    feed_event ev = {.rec = rec, .filter = o->stream->filter_id};
    if (form->wants_json) {
        if (!*made && !event_text_make(&f->event, rec))
            return false;
        *made = true;
        ev.json = event_text_get(&f->event, ev.filter, &f->scratch, &ev.len);
        if (!ev.json)
            return false;
    }
    size_t before = out->len;
    form->render(out, o->form, &ev);
    if (!out->failed)
        return true;
    out->len = before;
    out->failed = false;
    return false;
}

bool outlet_add(feed *f, outlet *o, const log_record *rec, bool *made)
{
    o->mark_lsn = rec->lsn;
    o->mark_len = o->pending.len;
    o->mark_events = o->pending_events;
    o->mark_last = o->pending_lsn;
    if (!outlet_render(f, o, rec, made, &o->pending))
        return false;
    o->pending_events++;
    o->pending_lsn = rec->lsn;
    if (list_empty(&o->dirty))
        list_append(&f->dirty, &o->dirty);
    return true;
}

void outlet_take_back(outlet *o, const log_record *rec)
{
    if (o->mark_lsn != rec->lsn)
        return;
    o->mark_lsn = 0;
    o->pending.len = o->mark_len;
    o->pending_events = o->mark_events;
    o->pending_lsn = o->mark_last;
    if (o->pending.len == 0)
        list_unlink(&o->dirty);
}

/* ---- sending ----------------------------------------------------------------------------------
 */

/* One message for each listener that follows the outlet, all sharing the frames. */
static bool make_messages(const outlet *o, list *out)
{
    refbuf *frames = refbuf_new(o->pending.data, o->pending.len);
    bool ok = frames != NULL;
    for (int i = 0; ok && i < FEED_MAX_LISTENERS; i++) {
        if (!o->live_at[i])
            continue;
        feed_msg *m = feed_msg_new(FEED_FRAMES, NULL);
        if (!m) {
            ok = false;
            break;
        }
        m->stream = o->id;
        m->sub = (uint64_t)i; /* the listener, until it is posted */
        m->lsn = o->pending_lsn;
        m->events = o->pending_events;
        m->frames = refbuf_ref(frames);
        list_append(out, &m->link);
    }
    refbuf_unref(frames);
    return ok;
}

bool outlet_flush(feed *f, outlet *o)
{
    list messages, *item;
    list_init(&messages);
    if (list_empty(&o->dirty))
        return true;
    bool ok = make_messages(o, &messages);
    while ((item = list_pop(&messages))) {
        feed_msg *m = list_entry(item, feed_msg, link);
        if (!ok) {
            feed_msg_free(m);
            continue;
        }
        int listener = (int)m->sub;
        m->sub = 0;
        feed_post(f, listener, m);
    }
    if (!ok)
        return false;
    list_unlink(&o->dirty);
    buf_clear(&o->pending);
    if (o->pending.cap > KEEP_PENDING)
        buf_free(&o->pending);
    o->pending_events = 0;
    o->mark_lsn = 0;
    return true;
}

bool outlets_flush(feed *f)
{
    while (!list_empty(&f->dirty)) {
        if (!outlet_flush(f, list_entry(f->dirty.next, outlet, dirty)))
            return false;
    }
    return true;
}
