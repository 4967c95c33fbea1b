/* A lens: one table through the eyes of one viewer, for records of the change log.
 *
 * It has a shape of its own, with the columns that the viewer may select, and shows what the
 * viewer's grants say of a row: whether it is visible, and each column as it is or masked. The
 * expressions are evaluated by the engine on the log reader's own connection. What they look at in
 * other tables is the database at the time of reading, not at the time of the event.
 *
 *   visible before and after   an update, if a column that is shown has changed; else nothing,
 * since an update without a change would tell that something hidden changed only after an insert
 *   only before                a delete
 *   neither                    nothing
 *
 * A table that a viewer sees as it is needs none (viewer.h, SIGHT_PLAIN). The thread that owns the
 * log reader. */
#ifndef ENGINE_LENS_H
#define ENGINE_LENS_H

#include "engine/engine.h"
#include "engine/viewer.h"

typedef struct lens lens;

/* Processor time that one record may take. */
enum { LENS_MAX_CPU_MS = 50 };

/* For records of this shape, which must outlive it, as the viewer must. PERMISSION_DENIED when the
 * viewer may not select from the table, QUERY_ERROR when an expression does not fit the shape,
 * INTERNAL_ERROR. */
lens *engine_lens_open(log_reader *r, const viewer *as, const table_shape *shape, error *e);
void engine_lens_free(lens *l); /* before its reader is closed; NULL is fine */
/* What is shown; its id is that of no other shape. Lives as long as the lens. */
const table_shape *engine_lens_shape(const lens *l);
/* The shape of the records it is for. */
const table_shape *engine_lens_source(const lens *l);

typedef enum lens_result {
    LENS_SHOWN,     /* *out is what the viewer sees; it lives until the next call */
    LENS_HIDDEN,    /* nothing */
    LENS_FAILED,    /* an expression failed: e says why, without a value of the row */
    LENS_NO_MEMORY, /* it may succeed later */
} lens_result;

/* in: a change of a row (LOG_ROW) of the lens's shape. */
lens_result engine_lens_apply(lens *l, const log_record *in, log_record *out, error *e);

#endif
