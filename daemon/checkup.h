/* The answer to "is it whole?": {"ok","problems":[...]}, for the database and for backups. */
#ifndef DAEMON_CHECKUP_H
#define DAEMON_CHECKUP_H

#include "daemon/jobs.h"

/* Verifies a file, or the open database (file NULL), and writes the object. From within a job. */
bool checkup_run(admin_job *j, const char *file, json_writer *result, error *e);

/* How a job follows work of the engine: it takes progress over and ends the work when it is to. */
engine_watch checkup_watch(admin_job *j);

#endif
