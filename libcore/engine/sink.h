/* What a sink says to what does not concern it: for the job_sink_ops of those who want to know
 * little more than how a job ended. Any thread. */
#ifndef ENGINE_SINK_H
#define ENGINE_SINK_H

#include "engine/engine.h"

void sink_ignore_begin(job_sink *s, bool held);
void sink_ignore_restart(job_sink *s);
sink_state sink_ignore_columns(job_sink *s, int index, const engine_column *cols, int n);
sink_state sink_ignore_row(job_sink *s, const value *row, int n);
void sink_ignore_end(job_sink *s, int index, const engine_summary *sum);
void sink_ignore_failed(job_sink *s, int index, const error *e);

#endif
