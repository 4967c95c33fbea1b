/* A stored query: a statement with a name and typed parameters. Immutable once made; any thread may
 * hold a reference.
 *
 * Its one form outside of the program is a JSON object, which REST answers with and which the
 * database keeps:
 *
 *     {"name","version","sql","description","readonly","parameters":[{"name","type","required",
 *      "default","description"}],"created_at","updated_at","updated_by"}
 */
#ifndef DAEMON_STORED_QUERY_H
#define DAEMON_STORED_QUERY_H

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "daemon/etag.h"
#include "engine/engine.h"
#include "json/writer.h"

typedef enum stored_type {
    STORED_STRING,
    STORED_INTEGER,
    STORED_NUMBER,
    STORED_BOOLEAN, /* 1 or 0 to SQL */
    STORED_BLOB,    /* {"$base64":"..."}; as text: base64 */
    STORED_TYPES
} stored_type;

typedef struct stored_parameter {
    const char *name, *description;
    stored_type type;
    bool required;    /* must be given, and not as null */
    json_t *fallback; /* its value when it is not given; null where there is none */
} stored_parameter;

typedef struct stored_query {
    atomic_int refs;
    json_t *doc; /* holds the texts below; nobody touches it after it was made */
    char *json;  /* the object as text; owned */
    size_t len;
    const char *name, *sql, *description;
    int64_t version;
    bool readonly;
    int n_parameters;
    stored_parameter *parameters; /* owned */
    char etag[ETAG_ROOM];
} stored_query;

/* What makes a definition, beside what its author says. */
typedef struct stored_origin {
    const char *name;
    int64_t version;
    bool readonly;
    const char *created_at, *updated_at, *updated_by;
} stored_origin;

/* From the author's {"sql","description"?,"parameters"?}, which fits the specification, and its
 * origin. NULL with INVALID_MESSAGE when parameters make no sense: two of one name, a default of
 * another type or beside `required`. The caller gets one reference. */
stored_query *stored_query_make(const json_t *input, const stored_origin *origin, error *e);
/* From the text that is kept. NULL with CORRUPT when it is not ours. */
stored_query *stored_query_read(const char *json, size_t n, error *e);

stored_query *stored_query_ref(stored_query *q);
void stored_query_unref(stored_query *q); /* NULL is fine */

/* Whether its parameters are those of the statement: names, the array "parameters" of a
 * JOB_VALIDATE. INVALID_MESSAGE says which are missing or too many. */
bool stored_query_check_names(const stored_query *q, const json_t *names, error *e);

/* The statement with the values that a call gives, copied into `mem`. params: NULL or an object.
 * INVALID_MESSAGE when one is missing, unknown or of another type. */
bool stored_query_bind(const stored_query *q, json_t *params, arena *mem, engine_stmt *to,
                       error *e);
/* The value that a text in a query string stands for; NULL with INVALID_MESSAGE when it is none of
 * the parameter's type. The caller's to decref. */
json_t *stored_parameter_parse(const stored_parameter *p, const char *text, error *e);
const stored_parameter *stored_query_parameter(const stored_query *q, const char *name, size_t n);

/* "string", ... */
const char *stored_type_name(stored_type t);
/* Its schema (JSON Schema 2020-12), in a body or as a query parameter. A new reference. */
json_t *stored_parameter_schema(const stored_parameter *p, bool in_body);

#endif
