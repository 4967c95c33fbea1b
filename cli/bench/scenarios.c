#include "cli/bench/scenarios.h"

const bench_scenario bench_scenarios[] = {
#define SCENARIO(name, summary, tables, ...) {#name, bench_run_##name, {__VA_ARGS__}, tables},
#include "cli/bench/scenarios.def"
#undef SCENARIO
};
const int bench_n_scenarios = sizeof bench_scenarios / sizeof *bench_scenarios;
