/* Viewers compared and kept: who sees what alike, so that what one is shown can be shared with
 * others and with nobody else. Any thread. */
#ifndef ENGINE_VIEWER_H
#define ENGINE_VIEWER_H

#include <stdbool.h>

#include "engine/access.h"

/* A counted copy, which keeps the access and the texts alive. NULL when memory is out. */
const viewer *viewer_keep(const viewer *v);
const viewer *viewer_hold(const viewer *kept); /* of a copy; NULL is fine, as below */
void viewer_release(const viewer *kept);

enum { VIEWER_KEY = ACCESS_DIGEST };

/* Two viewers with the same key see all tables alike. Empty: everything (v NULL, or its access).
 * False when memory is out. */
bool viewer_key(const viewer *v, char out[VIEWER_KEY + 1]);

/* How one table is seen. */
typedef enum sight_kind {
    SIGHT_NONE,  /* not at all */
    SIGHT_PLAIN, /* as it is */
    SIGHT_LENS,  /* by a lens (engine/lens.h): some rows, some columns, or masked */
} sight_kind;

/* Two viewers with the same key (and so the same kind) see this table alike, whatever else they may
 * see. Empty: as it is. Who a viewer is counts wherever an expression decides what is shown, since
 * it may look at other tables through views that ask. False when memory is out. */
bool viewer_table_key(const viewer *v, const char *table, sight_kind *kind,
                      char out[VIEWER_KEY + 1]);
/* The kind alone. */
sight_kind viewer_sees(const viewer *v, const char *table);

#endif
