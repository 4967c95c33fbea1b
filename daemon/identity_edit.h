/* A change of a user, role or API key on behalf of a request (auth/edit.h), which it answers.
 * Reactor thread only. */
#ifndef DAEMON_IDENTITY_EDIT_H
#define DAEMON_IDENTITY_EDIT_H

#include "auth/edit.h"
#include "auth/secret.h"
#include "daemon/etag.h"
#include "daemon/http.h"

typedef struct identity_edit identity_edit;
struct identity_edit {
    auth_document *was, *is;            /* held; see auth_edit */
    char secret[SECRET_KEY_LENGTH + 1]; /* for the answer alone; wiped; empty: none */
    void (*answer)(request *q, const identity_edit *x); /* when it is made */
    /* When it is made, whether or not the asker is there for an answer; NULL: nothing. */
    void (*follow)(server *d, const identity_edit *x);

    /* its own */
    auth_edit edit;
    const identity *who;
    reactor_msg home;
    conn *asker; /* held by n_runs */
};

/* Takes both references over. Fill in the rest, then start it. */
identity_edit *identity_edit_new(auth_document *was, auth_document *is,
                                 void (*answer)(request *q, const identity_edit *x));
/* The request is answered when the change is durable or refused, and the edit freed. */
void identity_edit_start(request *q, identity_edit *x);

/* The present document, which the caller holds; NULL: the request was answered with NOT_FOUND. */
auth_document *identity_find(request *q, auth_kind kind, const char *name);
/* Whether a resource is as If-Match of the request says, if it does; otherwise the request was
 * answered with PRECONDITION_FAILED. `tag` is the present one; NULL: there is no such resource. */
bool identity_condition(request *q, const char *tag);

/* Writes what others may know of a document. */
typedef void identity_writer(json_writer *w, const auth_document *d);
/* The entity tag of what it writes. False: memory was out, and the request answered. */
bool identity_tag(request *q, identity_writer *write, const auth_document *d, char tag[ETAG_ROOM]);
/* Answers with a document and its entity tag: 304 where If-None-Match has it. place: the path
 * before its name, for a 201; NULL: none. */
void identity_reply(request *q, int status, identity_writer *write, const auth_document *d,
                    const char *place);
/* The same with a text that is there; text->failed answers that memory was out. */
void identity_reply_text(request *q, int status, const buf *text, const char *place,
                         const char *name);
/* {"name":NAME,"deleted":true} */
void identity_reply_deleted(request *q, const char *member, const char *name);
/* Answers with {"NAME":[...],"total","offset","limit"} as the request wants it. */
void identity_reply_page(request *q, const char *name, auth_kind kind, identity_writer *write);

#endif
