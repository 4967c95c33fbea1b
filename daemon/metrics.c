#include "daemon/metrics.h"
#include "base/nearest.h"

#include <stdio.h>
#include <string.h>

const metric metrics[N_METRICS] = {
#define METRIC(group, name, kind, unit, from, value, help)                                         \
    {#group "." #name, kind, unit, from, help},
#include "daemon/metrics.def"
#undef METRIC
};

/* ---- choices -----------------------------------------------------------------------------------
 */

static void add(metric_set *s, int i)
{
    s->bits[i / 64] |= UINT64_C(1) << (i % 64);
}

metric_set metric_set_all(void)
{
    metric_set s = {0};
    for (int i = 0; i < N_METRICS; i++)
        add(&s, i);
    return s;
}

bool metric_set_equal(const metric_set *a, const metric_set *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

unsigned metric_set_from(const metric_set *s)
{
    unsigned from = 0;
    for (int i = 0; i < N_METRICS; i++) {
        if (metric_in(s, i))
            from |= metrics[i].from;
    }
    return from;
}

/* Whether a name stands for this metric: the name itself, "group.*", or "*". */
static bool stands_for(const char *name, const char *of)
{
    size_t n = strlen(name);
    if (n && name[n - 1] == '*' && (n == 1 || name[n - 2] == '.'))
        return strncmp(name, of, n - 1) == 0;
    return strcmp(name, of) == 0;
}

static const char *each_name(const void *arg, int i)
{
    (void)arg;
    return i < N_METRICS ? metrics[i].name : NULL;
}

static bool is_group(const char *name)
{
    size_t n = strlen(name);
    for (int i = 0; i < N_METRICS; i++) {
        if (strncmp(metrics[i].name, name, n) == 0 && metrics[i].name[n] == '.')
            return true;
    }
    return false;
}

static bool unknown(const char *name, error *e)
{
    const char *meant = nearest(name, each_name, NULL);
    error_set(e, ERR_INVALID_MESSAGE, "there is no metric '%.100s'", name);
    if (is_group(name))
        return error_hint(e, "Did you mean %s.*?", name);
    if (meant)
        return error_hint(e, "Did you mean %s?", meant);
    return error_hint(e, "GET /api/v1/metrics/catalog lists them; GROUP.* is a whole group.");
}

bool metric_set_add(metric_set *s, const char *name, error *e)
{
    bool found = false;
    for (int i = 0; i < N_METRICS; i++) {
        if (!stands_for(name, metrics[i].name))
            continue;
        add(s, i);
        found = true;
    }
    return found || unknown(name, e);
}

static bool none_chosen(const char *where, error *e)
{
    return error_set(e, ERR_INVALID_MESSAGE, "%s is empty; leave it out to get every metric",
                     where);
}

bool metric_set_read(metric_set *s, json_t *names, const char *where, error *e)
{
    size_t i;
    json_t *item;
    *s = (metric_set){0};
    if (!names || json_is_null(names)) {
        *s = metric_set_all();
        return true;
    }
    if (json_array_size(names) == 0)
        return none_chosen(where, e);
    json_array_foreach(names, i, item)
    {
        const char *name = json_string_value(item);
        if (!name)
            return error_set(e, ERR_INVALID_MESSAGE, "%s[%zu] is not a metric's name", where, i);
        if (!metric_set_add(s, name, e))
            return false;
    }
    return true;
}

bool metric_set_split(metric_set *s, const char *names, error *e)
{
    char name[METRIC_NAME_MAX];
    *s = (metric_set){0};
    if (!*names)
        return none_chosen("metrics", e);
    for (const char *at = names;; at++) {
        size_t n = strcspn(at, ",");
        snprintf(name, sizeof name, "%.*s", (int)(n < sizeof name ? n : sizeof name - 1), at);
        if (!metric_set_add(s, name, e))
            return false;
        at += n;
        if (!*at)
            return true;
    }
}

/* ---- values: the vocabulary of metrics.def -----------------------------------------------------
 */

static const metric_value not_known;

static metric_value whole(int64_t n)
{
    metric_value v = {.type = METRIC_INT, .i = n};
    return n == FIGURE_UNKNOWN ? not_known : v;
}

static metric_value real(double n)
{
    return (metric_value){.type = METRIC_REAL, .r = n};
}

static double seconds(int64_t us)
{
    return (double)us / 1e6;
}

static double millis(uint64_t us)
{
    return (double)us / 1e3;
}

/* Percent; nothing where the whole is nothing. */
static metric_value part(int64_t of, int64_t all)
{
    return all > 0 && of >= 0 ? real(100.0 * (double)of / (double)all) : not_known;
}

/* Per second. */
static metric_value rate(int64_t now, int64_t was, int64_t span_us)
{
    if (now == FIGURE_UNKNOWN || was == FIGURE_UNKNOWN || span_us <= 0)
        return not_known;
    return real((double)(now - was) / seconds(span_us));
}

static metric_value mean(int64_t sum, int64_t n)
{
    return n > 0 ? real((double)sum / (double)n) : not_known;
}

/* The time that this part of the period's messages stayed within. */
static metric_value within(const latency_sum *now, const latency_sum *was, double of)
{
    latency_sum period = *now;
    latency_subtract(&period, was);
    return period.count ? real(latency_within_ms(&period, of)) : not_known;
}

static metric_value list_of_topics(void)
{
    return (metric_value){.type = METRIC_TOPICS};
}

metric_value metric_get(int i, const figure_set *now, const figure_set *was)
{
    int64_t span = now->at_us - was->at_us;
    switch (i) {
#define METRIC(group, name, kind, unit, from, value, help)                                         \
    case METRIC_##group##_##name:                                                                  \
        return value;
#include "daemon/metrics.def"
#undef METRIC
    default:
        return not_known;
    }
}
