/* The scenarios' functions, as scenarios.def names them. */
#ifndef BENCH_SCENARIOS_H
#define BENCH_SCENARIOS_H

#include "cli/bench/bench.h"

#define SCENARIO(name, ...) bool bench_run_##name(bench_run *r, error *e);
#include "cli/bench/scenarios.def"
#undef SCENARIO

#endif
