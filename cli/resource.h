/* Things that the daemon keeps under names, for commands that make, change and remove them. One
 * thread. */
#ifndef CLI_RESOURCE_H
#define CLI_RESOURCE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "cli/client.h"

/* Sends a request about `name` (NULL: about the list) below `list`, such as "/admin/users", with a
 * JSON body (NULL: none). *answer, initialised by the caller, gets what comes; it may be NULL. */
bool resource_send(client *c, const char *method, const char *list, const char *name,
                   const buf *body, buf *answer, error *e);
/* Removes each of the names (ends with NULL) and says so unless --quiet; one that is not there does
 * not save the others. Returns the exit status, after messages. what: "user", for these. */
int resource_remove(client *c, const char *what, const char *list, char **names);
/* Reads a document from a file, "-" being standard input. INVALID_MESSAGE when it cannot be read,
 * or is no JSON object. */
bool resource_read(const char *path, buf *out, error *e);

#endif
