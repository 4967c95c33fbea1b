/* Names of tables and columns on their way into SQL text. Any thread. */
#ifndef BASE_SQLNAME_H
#define BASE_SQLNAME_H

#include "base/buf.h"

/* Appends the name as a quoted identifier: in double quotes, those inside it doubled. */
void sqlname_add(buf *out, const char *name);

#endif
