/* The store of documents about identities (document.h): all in memory, and kept by the database.
 *
 * One mutex guards the tables; it is held for a look-up, and never while anything is waited for.
 * What they point at never changes and is counted, so whoever found a document reads it as long as
 * he likes.
 *
 * Changes are made one after the other: each is decided when its turn has come, on what is there
 * then, is written by one commit of the engine, and the tables follow when that is durable. So a
 * decision never has to think of changes that are under way. */
#ifndef AUTH_STORE_H
#define AUTH_STORE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "auth/document.h"
#include "base/list.h"
#include "engine/engine.h"

typedef struct auth_store auth_store;

/* With nothing in it. NULL: out of memory. */
auth_store *auth_store_new(engine *g);
/* Takes a document that was kept; for start-up. CORRUPT when it cannot be read. */
bool auth_store_load(auth_store *s, const auth_text *t, error *e);
/* When the engine has closed: until then changes may end. NULL is fine. */
void auth_store_free(auth_store *s);

/* ---- looking: any thread; the caller holds what he gets ---- */
auth_document *auth_store_find(auth_store *s, auth_kind kind, const char *name);
/* By one of its marks, such as "uid 1000". */
auth_document *auth_store_marked(auth_store *s, const char *mark);
/* Those of a page in the order of their names, at most `limit`; how many were given. *total gets
 * how many there are. */
int auth_store_page(auth_store *s, auth_kind kind, int64_t offset, int limit, auth_document **out,
                    int64_t *total);
/* The first of a kind for which `fits` is true, which runs under the lock; NULL: none. */
auth_document *auth_store_search(auth_store *s, auth_kind kind,
                                 bool (*fits)(const auth_document *d, const void *arg),
                                 const void *arg);
/* A number that grows with every change of documents; of documents of this kind. */
uint64_t auth_store_generation(const auth_store *s);
uint64_t auth_store_version(const auth_store *s, auth_kind kind);
/* What auth_store_generation tells: for others who keep more that identities depend on. */
atomic_ullong *auth_store_counter(auth_store *s);

/* Whom the document identifies, as it was noted in this generation; NULL: not yet. The caller
 * holds it. */
identity *auth_store_seen(auth_store *s, auth_document *d, uint64_t generation);
/* Notes it. */
void auth_store_note(auth_store *s, auth_document *d, identity *who);

/* ---- changing ---- */
typedef struct auth_call {
    /* Decides what is to change, by auth_call_put and auth_call_drop, when nothing else changes.
     * Once, on any thread; must not block. */
    bool (*decide)(struct auth_call *c, auth_store *s, error *e);
    /* Once, on an engine thread or the asker's; the call is the asker's again. */
    void (*done)(struct auth_call *c);
    bool failed; /* valid at done */
    error err;

    /* the store's own, zeroed by the asker */
    list link;
    auth_store *owner;
    job job;
    job_sink sink;
    int n, room;
    struct auth_step *steps;
    auth_change *changes;
} auth_call;

/* Any thread. The call must live until `done`. BUSY when too many wait. */
void auth_store_change(auth_store *s, auth_call *c);

/* For `decide`. The document is made, in the place of what is there of its kind and name; a second
 * one of one name in a call is a mistake. CONFLICT when another document has a mark of it, or there
 * are too many. */
bool auth_call_put(auth_call *c, auth_document *d, error *e);
/* The document is removed, if it is there; no document twice in a call. */
bool auth_call_drop(auth_call *c, auth_kind kind, const char *name, error *e);

#endif
