#include "engine/sink.h"

void sink_ignore_begin(job_sink *s, bool held)
{
    (void)s;
    (void)held;
}

void sink_ignore_restart(job_sink *s)
{
    (void)s;
}

sink_state sink_ignore_columns(job_sink *s, int index, const engine_column *cols, int n)
{
    (void)s;
    (void)index;
    (void)cols;
    (void)n;
    return SINK_OK;
}

sink_state sink_ignore_row(job_sink *s, const value *row, int n)
{
    (void)s;
    (void)row;
    (void)n;
    return SINK_OK;
}

void sink_ignore_end(job_sink *s, int index, const engine_summary *sum)
{
    (void)s;
    (void)index;
    (void)sum;
}

void sink_ignore_failed(job_sink *s, int index, const error *e)
{
    (void)s;
    (void)index;
    (void)e;
}
