/* Who somebody is and what he may, for himself to see. Any thread. */
#ifndef DAEMON_IDENTITY_DESCRIBE_H
#define DAEMON_IDENTITY_DESCRIBE_H

#include "auth/auth.h"
#include "json/writer.h"

/* Writes the members of the schema Identity into an object that is open. */
void describe_identity(json_writer *w, auth *a, const identity *who);

#endif
