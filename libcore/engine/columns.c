#include "engine/columns.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

int column_find(const table_shape *shape, const char *name)
{
    for (int i = 0; i < shape->n_columns; i++) {
        if (strcasecmp(shape->names[i], name) == 0)
            return i;
    }
    return -1;
}

static bool mentions(const char *type, const char *word)
{
    return strcasestr(type, word) != NULL;
}

column_affinity affinity_of(const char *type)
{
    if (mentions(type, "INT"))
        return AFFINITY_INTEGER;
    if (mentions(type, "CHAR") || mentions(type, "CLOB") || mentions(type, "TEXT"))
        return AFFINITY_TEXT;
    if (*type == '\0' || mentions(type, "BLOB") ||
        strcasecmp(type, "ANY") == 0) /* ANY of a STRICT table converts nothing */
        return AFFINITY_BLOB;
    if (mentions(type, "REAL") || mentions(type, "FLOA") || mentions(type, "DOUB"))
        return AFFINITY_REAL;
    return AFFINITY_NUMERIC;
}

const char *affinity_name(column_affinity a)
{
    static const char *const names[] = {"INTEGER", "TEXT", "BLOB", "REAL", "NUMERIC"};
    return names[a];
}
