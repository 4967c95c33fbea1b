/* What somebody may do, put together from roles: tables (engine/access.h), scopes, streams,
 * channels. Immutable and counted; everybody with the same roles shares one. */
#ifndef AUTH_RIGHTS_H
#define AUTH_RIGHTS_H

#include <stdbool.h>

#include "engine/access.h"

/* Bits of rights.scopes. */
typedef enum auth_scope {
#define SCOPE(name, explanation) SCOPE_BIT_##name,
#include "auth/scopes.def"
#undef SCOPE
    SCOPE_COUNT
} auth_scope;
#define SCOPE(name, explanation) static const unsigned SCOPE_##name = 1u << SCOPE_BIT_##name;
#include "auth/scopes.def"
#undef SCOPE
enum { SCOPE_ALL = (1 << SCOPE_COUNT) - 1 };

/* Topics that need a right of their own. Bits of rights.streams. */
typedef enum auth_stream {
    STREAM_METRICS = 1,
    STREAM_REPLICATION = 2, /* the change log, as far as its tables may be read whole */
    STREAM_QUERIES = 4,     /* statements of everybody, as they run */
    STREAM_SYSTEM = 8,
    STREAM_ALL = 15
} auth_stream;

enum { CHANNEL_SUBSCRIBE = 1, CHANNEL_PUBLISH = 2 };

/* Channels by name; a '*' stands for any characters, none included. */
typedef struct channel_rule {
    const char *pattern;
    unsigned may; /* CHANNEL_* */
} channel_rule;

/* What one role gives, without those that it inherits. */
typedef struct rights_role {
    const char *name;
    access_role tables;
    unsigned scopes, streams;
    int n_channels;
    const channel_rule *channels;
} rights_role;

typedef struct rights rights;

/* What the roles give together; copied. The caller holds it. NULL when memory is out. */
rights *rights_new(const rights_role *roles, int n_roles);
/* The rights to everything. */
rights *rights_everything(void);
rights *rights_hold(const rights *r);
void rights_release(const rights *r); /* NULL is fine */

/* Whether they are the rights to everything. */
bool rights_all(const rights *r);
/* The names of the roles that it was made of; of the rights to everything there are none. */
int rights_n_roles(const rights *r);
const char *rights_role_name(const rights *r, int i);
/* Whether this role is among them, or they are the rights to everything. */
bool rights_have(const rights *r, const char *role);
/* NULL: every table. */
const access_set *rights_access(const rights *r);
unsigned rights_scopes(const rights *r);
unsigned rights_streams(const rights *r);
/* what: CHANNEL_SUBSCRIBE or CHANNEL_PUBLISH. */
bool rights_channel(const rights *r, const char *channel, unsigned what);

/* The name of a scope or stream, and the bit of a name (0: unknown). */
const char *scope_name(auth_scope bit);
const char *scope_explanation(auth_scope bit);
unsigned scope_of(const char *name);
const char *stream_name(unsigned stream);
unsigned stream_of(const char *name);

#endif
