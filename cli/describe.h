/* Shows JSON objects to people: a line a member, names and values in two columns. */
#ifndef CLI_DESCRIBE_H
#define CLI_DESCRIBE_H

#include <stdbool.h>

#include "base/buf.h"
#include "cli/scan.h"

/* Appends the members of an object, indented by `indent` spaces; '_' in names becomes a space.
 * Objects inside follow with their name as a heading; arrays give their items a line each. Members
 * ending in _seconds, _ms and _bytes get their unit. `skip` names members to leave out, ended by
 * NULL; it may be NULL. */
void describe_object(buf *out, scan_text object, int indent, const char *const *skip);

#endif
