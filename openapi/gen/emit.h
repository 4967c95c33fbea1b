/* From the whole specification to the daemon's tables. Part of specgen. */
#ifndef OPENAPI_GEN_EMIT_H
#define OPENAPI_GEN_EMIT_H

#include <jansson.h>
#include <stdio.h>

/* The C tables: schemas of parameters and bodies, operations, the tree of paths (daemon/route.h).
 * Into `handlers` go the declarations of the functions that answer. */
void emit_tables(json_t *root, FILE *tables, FILE *handlers);

/* A schema as a C table, with those that it needs, in the order in which C wants them. */
typedef struct schema_out {
    json_t *root;
    json_t *made; /* names of components made so far */
    FILE *declared, *defined;
    int n;
} schema_out;

enum { SCHEMA_NAME_ROOM = 100 };

/* Makes it and leaves its C name in `name`. `where` is for complaints. `closed`: an object must say
 * what other members it may have. */
void emit_schema(schema_out *o, json_t *schema, const char *where, char name[SCHEMA_NAME_ROOM]);

/* A C string literal. */
void emit_text(FILE *to, const char *text);

#endif
