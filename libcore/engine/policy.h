/* Row policies and masks as SQL text: what an access_table says of rows and columns, as expressions
 * over the columns of the table by their bare names. Whoever reads or writes a table for somebody
 * puts them into the statement.
 *
 * Subqueries of a policy read other tables whole, with the daemon's rights: names of tables behind
 * FROM, JOIN and IN are written with main. before them, so that neither a temporary table nor
 * somebody's restricted view of it can take their place. They look at tables, not at views, and use
 * a column of each (EXISTS, not count(*) alone). What is no expression makes a statement that
 * SQLite refuses.
 *
 * Functions that policies and masks may call, beside those of SQLite, on every connection:
 *   current_user()        text, the viewer's user; '' for the daemon itself
 *   claim(name)           a claim of the viewer: text, number, 1 or 0 for true or false, NULL where
 *                         there is none; arrays and objects as JSON text, for json_each
 *   mask_hash(x)          64 hexadecimal digits: HMAC-SHA256 of the value's text or bytes with a
 *                         key that is random in each database; NULL of NULL
 *   mask_partial(x, keep) the last `keep` characters of its text, a * for each one before; all
 *                         stars when it has no more than twice as many; NULL of NULL
 * Clients may call the first two; the masks are refused to their SQL, or they could be asked for
 * the mask of any guess.
 *
 * Any thread. Memory that is out shows in the buffer. */
#ifndef ENGINE_POLICY_H
#define ENGINE_POLICY_H

#include "base/buf.h"
#include "engine/access.h"

/* A term that is true for rows that may be read (ACCESS_SELECT), updated or deleted: any grant of
 * the operation lets the row through. "1": every row, "0": none. NULL counts as false.
 * columns: the n that an UPDATE sets: grants that have not all of them do not count, so that one
 * grant must let the whole change through. For a SELECT give none: a row is there when any of its
 * columns is, and policy_column hides the others. A DELETE has none; grants with columns count for
 * it as if they had all. */
void policy_rows(buf *out, const access_table *t, access_op op, int n, const char *const *columns);

/* A term that is true (1) or not (0, never NULL) for rows as they are after an INSERT or UPDATE
 * that gave values to these n columns: the check of a grant, or where it has none its `where`.
 * Grants count as above. */
void policy_check(buf *out, const access_table *t, access_op op, int n, const char *const *columns);

/* The expression that shows a column: for each row as the first grant says that shows this row and
 * this column, those without a mask for it first; NULL when none does. It looks at the column's
 * value behind the grant's predicate only, so that no error or cost tells of a hidden one.
 * source: SQL for the value itself, NULL: the quoted name (masks always call it by its name). */
void policy_column(buf *out, const access_table *t, const char *column, const char *source);

/* The predicate of a policy as it stands in a statement: in brackets, tables written as main. */
void policy_term(buf *out, const char *sql);

#endif
