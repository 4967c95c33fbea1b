#include "daemon/identity_edit.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "daemon/daemon.h"

static auth *auth_of(const request *q)
{
    return q->c->r->d->auth;
}

/* ---- changing ----------------------------------------------------------------------------------
 */

static void end(identity_edit *x)
{
    auth_document_release(x->was);
    auth_document_release(x->is);
    identity_release(x->who);
    secret_wipe(x->secret, sizeof x->secret);
    mem_free(x);
}

static void on_reactor(reactor *r, reactor_msg *m)
{
    identity_edit *x = list_entry(m, identity_edit, home);
    conn *c = x->asker;
    c->n_runs--;
    if (x->follow && !x->edit.call.failed)
        x->follow(r->d, x);
    if (c->state != CONN_DEAD && c->req) {
        if (x->edit.call.failed)
            http_reply_error(c->req, &x->edit.call.err);
        else
            x->answer(c->req, x);
    }
    conn_reap(c);
    end(x);
}

static void on_done(auth_edit *edit)
{
    identity_edit *x = list_entry(edit, identity_edit, edit);
    reactor_post(x->asker->r, &x->home);
}

identity_edit *identity_edit_new(auth_document *was, auth_document *is,
                                 void (*answer)(request *q, const identity_edit *x))
{
    identity_edit *x = xalloc(sizeof *x);
    x->was = was;
    x->is = is;
    x->answer = answer;
    return x;
}

void identity_edit_start(request *q, identity_edit *x)
{
    x->who = identity_hold(q->who);
    x->home.handle = on_reactor;
    x->asker = q->c;
    x->edit.who = x->who;
    x->edit.was = x->was;
    x->edit.is = x->is;
    x->edit.done = on_done;
    q->c->n_runs++;
    auth_edit_start(auth_of(q), &x->edit);
}

/* ---- looking -----------------------------------------------------------------------------------
 */

auth_document *identity_find(request *q, auth_kind kind, const char *name)
{
    error e;
    auth_document *d = auth_store_find(auth_store_of(auth_of(q)), kind, name);
    if (d)
        return d;
    error_clear(&e);
    error_set(&e, ERR_NOT_FOUND, "there is no %s \"%s\"", auth_kind_name(kind), name);
    http_reply_error(q, &e);
    return NULL;
}

bool identity_condition(request *q, const char *tag)
{
    error e;
    const char *match = http_header(q, HEADER_IF_MATCH);
    if (!match || (tag && etag_listed(match, tag, false)))
        return true;
    error_clear(&e);
    error_set(&e, ERR_PRECONDITION_FAILED, "this is not, or no longer, as If-Match says");
    error_hint(&e, "Get it anew, and send the ETag that comes with it.");
    http_reply_error(q, &e);
    return false;
}

static bool is_written(request *q, const buf *out)
{
    error e;
    if (!out->failed)
        return true;
    error_clear(&e);
    error_set(&e, ERR_INTERNAL_ERROR, "out of memory");
    http_reply_error(q, &e);
    return false;
}

bool identity_tag(request *q, identity_writer *write, const auth_document *d, char tag[ETAG_ROOM])
{
    buf out = BUF_INIT;
    json_writer w;
    jw_init(&w, &out);
    write(&w, d);
    bool ok = is_written(q, &out);
    if (ok)
        etag_make(out.data, out.len, tag);
    buf_free(&out);
    return ok;
}

void identity_reply_text(request *q, int status, const buf *text, const char *place,
                         const char *name)
{
    char tag[ETAG_ROOM];
    buf headers = BUF_INIT;
    if (!is_written(q, text))
        return;
    etag_make(text->data, text->len, tag);
    buf_addf(&headers, "ETag: %s\r\n", tag);
    if (place) {
        buf_addf(&headers, "Location: %s", place);
        http_put_segment(&headers, name);
        buf_adds(&headers, "\r\n");
    }
    if (!is_written(q, &headers))
        return;
    if (status == 200 && q->method == HTTP_GET &&
        etag_listed(http_header(q, HEADER_IF_NONE_MATCH), tag, true))
        http_reply_with(q, 304, NULL, buf_cstr(&headers), NULL, 0);
    else
        http_reply_with(q, status, "application/json", buf_cstr(&headers), text->data, text->len);
    buf_free(&headers);
}

void identity_reply(request *q, int status, identity_writer *write, const auth_document *d,
                    const char *place)
{
    buf out = BUF_INIT;
    json_writer w;
    jw_init(&w, &out);
    write(&w, d);
    identity_reply_text(q, status, &out, place, d->name);
    buf_free(&out);
}

void identity_reply_deleted(request *q, const char *member, const char *name)
{
    buf out;
    json_writer w;
    http_begin_json(&w, &out);
    jw_key_str(&w, member, name);
    jw_key_bool(&w, "deleted", true);
    http_end_json(q, 200, &w);
}

void identity_reply_page(request *q, const char *name, auth_kind kind, identity_writer *write)
{
    int64_t offset = http_int(q, "offset"), limit = http_int(q, "limit"), total;
    auth_document **page = xalloc((size_t)limit * sizeof(auth_document *));
    int n = auth_store_page(auth_store_of(auth_of(q)), kind, offset, (int)limit, page, &total);
    buf out;
    json_writer w;
    http_begin_json(&w, &out);
    jw_key_int(&w, "total", total);
    jw_key_int(&w, "offset", offset);
    jw_key_int(&w, "limit", limit);
    jw_key(&w, name);
    jw_begin_array(&w);
    for (int i = 0; i < n; i++) {
        write(&w, page[i]);
        auth_document_release(page[i]);
    }
    jw_end_array(&w);
    http_end_json(q, 200, &w);
    mem_free(page);
}
