/* The order of a list of rows, and the cursors that go on with it. */
#ifndef DAEMON_API_ROWS_LIST_H
#define DAEMON_API_ROWS_LIST_H

#include "daemon/api/rows.h"

enum { ORDER_MAX = 16, CURSOR_MAX = 1500 }; /* columns; bytes, since it comes back in a query */

typedef struct order_term {
    const char *column;
    const row_column *of; /* NULL: the rowid, where it is no column */
    bool descending, not_null;
} order_term;

/* A total order: behind what was asked for stands the rowid or the primary key. Rows without either
 * (a view's) are counted instead. */
typedef struct row_order {
    order_term *terms;
    int n;
    bool total;
    value *after; /* where the page before ended, one value per term; NULL: from the first row */
    int64_t skip; /* without a total order: rows of the pages before */
} row_order;

/* From the parameters `order` and `cursor`, which may be NULL. */
bool row_order_read(row_order *o, const row_table *t, const char *order, const char *cursor,
                    arena *mem, error *e);
/* What is ordered by: a column as it is shown, so that the order of others tells nothing. */
void row_order_add_term(row_sql *s, const order_term *term);
/* The condition that a row comes behind `after`, which is there. */
void row_order_add_after(row_sql *s, const row_order *o);
/* " ORDER BY ..." where there is something to order by. */
void row_order_add(row_sql *s, const row_order *o);
/* The cursor behind a row with these values of the terms (with a total order), or behind `skip`
 * rows: a text in mem, NULL when memory is out. */
const char *row_order_cursor(const row_order *o, const value *terms, int64_t skip, arena *mem);

#endif
