/* Files that are part of the program: the table is made when the project is built
 * (openapi/gen/embed). Read-only, any thread. */
#ifndef DAEMON_ASSETS_H
#define DAEMON_ASSETS_H

#include <stdbool.h>

typedef struct asset {
    const char *name; /* "rustydb.css" */
    const char *type; /* media type */
    const char *from, *to;
    bool gzip; /* the bytes are compressed */
} asset;

extern const asset assets[]; /* ended by one whose name is NULL */

#endif
