#include "daemon/topic_rights.h"

#include <string.h>

#include "daemon/conn.h"
#include "engine/viewer.h"

static bool refuse(error *e, const char *what, const char *hint, const char *name)
{
    error_clear(e);
    error_set(e, ERR_PERMISSION_DENIED, "this identity may not %s", what);
    return error_hint(e, hint, name);
}

static bool needs_stream(const conn *c, unsigned stream, error *e)
{
    if (identity_may_stream(conn_who(c), stream))
        return true;
    return refuse(e, "subscribe to this topic", "It takes a role with the stream \"%s\".",
                  stream_name(stream));
}

static const char *channel_of(const char *topic)
{
    static const char prefix[] = "channel:";
    return strncmp(topic, prefix, sizeof prefix - 1) == 0 ? topic + sizeof prefix - 1 : NULL;
}

/* The right that a topic of the daemon's own takes; 0: it is none. */
static unsigned stream_of_topic(const char *topic)
{
    static const struct {
        const char *topic;
        unsigned stream;
    } own[] = {
        {"metrics", STREAM_METRICS},
        {"queries", STREAM_QUERIES},
        {"system", STREAM_SYSTEM},
        {"replication", STREAM_REPLICATION},
    };
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        if (strcmp(own[i].topic, topic) == 0)
            return own[i].stream;
    }
    return 0;
}

bool topic_rights_subscribe(const conn *c, const sub_request *q, error *e)
{
    if (q->query)
        return identity_check(conn_who(c), SCOPE_sql, e);
    const char *channel = q->topic ? channel_of(q->topic) : NULL;
    if (channel && !identity_may_channel(conn_who(c), channel, CHANNEL_SUBSCRIBE))
        return refuse(e, "subscribe to this channel",
                      "It takes a role that may subscribe to \"%.100s\".", channel);
    unsigned stream = q->topic ? stream_of_topic(q->topic) : 0;
    return !stream || needs_stream(c, stream, e);
}

/* The same words whether the table is there or not. */
bool topic_rights_replicate(const conn *c, const char *const *tables, int n_tables, error *e)
{
    if (!needs_stream(c, STREAM_REPLICATION, e))
        return false;
    for (int i = 0; i < n_tables; i++) {
        if (viewer_sees(identity_eyes(conn_who(c)), tables[i]) != SIGHT_PLAIN)
            return refuse(e, "read all of a table that is named",
                          "Replication gives whole tables: \"%.100s\" is to be granted without "
                          "conditions.",
                          tables[i]);
    }
    return true;
}

bool topic_rights_publish(const conn *c, const char *channel, error *e)
{
    if (!channel)
        return identity_check(conn_who(c), SCOPE_broadcast, e);
    if (identity_may_channel(conn_who(c), channel, CHANNEL_PUBLISH))
        return true;
    return refuse(e, "publish on this channel", "It takes a role that may publish on \"%.100s\".",
                  channel);
}

/* ---- going on ---------------------------------------------------------------------------------
 */

static bool same_text(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

static bool sees_all_alike(const identity *was, const identity *now)
{
    char before[VIEWER_KEY + 1], after[VIEWER_KEY + 1];
    return viewer_key(identity_eyes(was), before) && viewer_key(identity_eyes(now), after) &&
           strcmp(before, after) == 0;
}

static bool sees_alike(const char *table, const identity *was, const identity *now)
{
    char before[VIEWER_KEY + 1], after[VIEWER_KEY + 1];
    sight_kind kind;
    return viewer_table_key(identity_eyes(was), table, &kind, before) &&
           viewer_table_key(identity_eyes(now), table, &kind, after) && strcmp(before, after) == 0;
}

static bool tables_alike(const sub *s, const identity *was, const identity *now)
{
    static const char prefix[] = "table:";
    if (!s->n_tables)
        return strncmp(s->topic, prefix, sizeof prefix - 1) == 0
                   ? sees_alike(s->topic + sizeof prefix - 1, was, now)
                   : sees_all_alike(was, now);
    for (int i = 0; i < s->n_tables; i++) {
        if (!sees_alike(s->tables[i], was, now))
            return false;
    }
    return true;
}

/* A statement may ask who it is for, and for his claims. */
static bool query_alike(const identity *was, const identity *now)
{
    return identity_may(now, SCOPE_sql) && sees_all_alike(was, now) &&
           strcmp(was->name, now->name) == 0 && same_text(was->claims, now->claims);
}

bool topic_rights_keep(const sub *s, const identity *was, const identity *now)
{
    const server *d = s->c->r->d;
    const char *channel = channel_of(s->topic);
    if (s->source == &d->results)
        return query_alike(was, now);
    if (s->source == &d->tables)
        return tables_alike(s, was, now);
    if (channel)
        return identity_may_channel(now, channel, CHANNEL_SUBSCRIBE);
    return identity_may_stream(now, stream_of_topic(s->topic)) &&
           (s->source != &d->consumers || tables_alike(s, was, now));
}
