/* What the operations on tables, indexes and views have in common: each is a few jobs, one after
 * the other, and at its end the description of what there is now.
 *
 *     look at the table -> change the schema, all or nothing -> look again -> answer
 *
 * A step's function is called when its job has succeeded; when it fails, the request is answered
 * here. Reactor thread. */
#ifndef DAEMON_API_SCHEMA_STEPS_H
#define DAEMON_API_SCHEMA_STEPS_H

#include "daemon/http.h"

/* Gets the description of a table or view as GET /tables/{name} has it; borrowed. */
typedef void (*schema_found)(request *q, const json_t *table);
/* Gets the run, which is freed afterwards. */
typedef void (*schema_done)(request *q, run *r);

/* Looks at the table or view of this name. Answers TABLE_NOT_FOUND when there is none; internal
 * tables count as none. */
void schema_find(request *q, const char *name, schema_found then);
/* The same, but `then` gets NULL when there is none. */
void schema_find_or_not(request *q, const char *name, schema_found then);
/* Whether it is a view; otherwise it is a table, perhaps a virtual one. */
bool schema_is_view(const json_t *table);

/* A job of up to `most` statements that succeed or fail as one; NULL when memory is out, and then
 * the request was answered. */
run *schema_change(request *q, size_t most, schema_done then);
/* One more statement. Takes the text in any case; `made`: false when there is none, and e is set.
 */
bool schema_add(run *r, bool made, buf *sql, error *e);
void schema_run(run *r);
/* Answers with e instead, and frees the run. */
void schema_give_up(run *r, const error *e);
/* Answers with why the run failed, its code being what the state of the schema makes it: CONFLICT
 * where a name is taken, for instance. The run stays. */
void schema_reply_failure(run *r);

/* Answers with the description of a table or view that is there now; 201 names its Location. */
void schema_answer_table(request *q, const char *name, int status);
/* Answers with a document, which is taken (NULL: memory is out). */
void schema_answer(request *q, int status, json_t *doc);
/* 201 with a document, as http_reply_created. */
void schema_answer_created(request *q, json_t *doc, const char *place, const char *name);
/* {"name": ..., "lsn": ...}: it is gone, and up to where. */
void schema_answer_dropped(request *q, const char *name, int64_t lsn);

#endif
