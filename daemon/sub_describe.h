/* What the daemon tells of a subscription to those who manage it. On the thread of its reactor. */
#ifndef DAEMON_SUB_DESCRIBE_H
#define DAEMON_SUB_DESCRIBE_H

#include <stdint.h>

#include "daemon/hub_subs.h"
#include "json/writer.h"

/* The number in a subscription's id ("s12"); 0 when no subscription can have it. */
uint64_t sub_parse_id(const char *id);

/* "pending", "replaying", "live" or "resuming". */
const char *sub_status(const sub *s);
/* INVALID_MESSAGE for a word that is none of them. */
bool sub_parse_status(const char *name, sub_state *to, error *e);

/* Writes it as an object. */
void sub_describe(const sub *s, json_writer *w);

#endif
