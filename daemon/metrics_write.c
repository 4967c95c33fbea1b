/* Metrics as JSON and as text for Prometheus. */
#include "daemon/metrics.h"

#include <stdio.h>
#include <string.h>

/* ---- JSON --------------------------------------------------------------------------------------
 */

static void put_topic(json_writer *w, const topic_rate *t)
{
    jw_begin_object(w);
    jw_key(w, "topic");
    jw_str(w, t->of->name);
    jw_key(w, "subscribers");
    jw_int(w, t->of->subscribers);
    jw_key(w, "messages");
    jw_int(w, t->of->messages);
    jw_key(w, "bytes");
    jw_int(w, t->of->bytes);
    jw_key(w, "messages_per_second");
    jw_real(w, t->messages);
    jw_key(w, "bytes_per_second");
    jw_real(w, t->bytes);
    jw_end_object(w);
}

static void put_topics(json_writer *w, const figure_set *now, const figure_set *was)
{
    topic_rate top[TOPICS_TOP];
    int n = topics_rank(&now->topics, &was->topics, now->at_us - was->at_us, top);
    jw_begin_array(w);
    for (int i = 0; i < n; i++)
        put_topic(w, &top[i]);
    jw_end_array(w);
}

void metrics_write_json(json_writer *w, const metric_set *s, const figure_set *now,
                        const figure_set *was)
{
    jw_begin_object(w);
    for (int i = 0; i < N_METRICS; i++) {
        if (!metric_in(s, i))
            continue;
        metric_value v = metric_get(i, now, was);
        jw_key(w, metrics[i].name);
        if (v.type == METRIC_INT)
            jw_int(w, v.i);
        else if (v.type == METRIC_REAL)
            jw_real(w, v.r);
        else if (v.type == METRIC_TOPICS)
            put_topics(w, now, was);
        else
            jw_null(w);
    }
    jw_end_object(w);
}

void metrics_write_catalog(json_writer *w)
{
    jw_begin_array(w);
    for (int i = 0; i < N_METRICS; i++) {
        jw_begin_object(w);
        jw_key(w, "name");
        jw_str(w, metrics[i].name);
        jw_key(w, "kind");
        jw_str(w, metrics[i].kind == COUNTER ? "counter" : "gauge");
        jw_key(w, "unit");
        jw_str(w, metrics[i].unit);
        jw_key(w, "help");
        jw_str(w, metrics[i].help);
        jw_end_object(w);
    }
    jw_end_array(w);
}

/* ---- Prometheus --------------------------------------------------------------------------------
 */

/* rustydb_GROUP_NAME, in seconds instead of milliseconds, and _total behind a counter. */
static void name_of(const metric *m, char out[METRIC_NAME_MAX + 24], bool *ms)
{
    char base[METRIC_NAME_MAX];
    snprintf(base, sizeof base, "%s", m->name);
    base[strcspn(base, ".")] = '_';
    size_t n = strlen(base);
    *ms = n > 3 && strcmp(base + n - 3, "_ms") == 0;
    if (*ms)
        base[n - 3] = '\0';
    snprintf(out, METRIC_NAME_MAX + 24, "rustydb_%s%s%s", base, *ms ? "_seconds" : "",
             m->kind == COUNTER ? "_total" : "");
}

static void put_head(buf *out, const char *name, const char *help, metric_kind kind)
{
    buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name,
             kind == COUNTER ? "counter" : "gauge");
}

static void put_label(buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '\n')
            buf_adds(out, "\\n");
        else if (*text == '\\' || *text == '"')
            buf_addf(out, "\\%c", *text);
        else
            buf_addc(out, *text);
    }
}

static void put_topic_line(buf *out, const char *name, const topic_rate *t, int64_t n)
{
    buf_addf(out, "%s{topic=\"", name);
    put_label(out, t->of->name);
    buf_addf(out, "\"} %lld\n", (long long)n);
}

static void put_topic_lines(buf *out, const figure_set *now, const figure_set *was)
{
    static const char messages[] = "rustydb_topic_messages_total",
                      bytes[] = "rustydb_topic_bytes_total", subs[] = "rustydb_topic_subscribers";
    topic_rate top[TOPICS_TOP];
    int n = topics_rank(&now->topics, &was->topics, now->at_us - was->at_us, top);
    put_head(out, messages, "messages delivered to the subscribers of a topic", COUNTER);
    for (int i = 0; i < n; i++)
        put_topic_line(out, messages, &top[i], top[i].of->messages);
    put_head(out, bytes, "bytes delivered to the subscribers of a topic", COUNTER);
    for (int i = 0; i < n; i++)
        put_topic_line(out, bytes, &top[i], top[i].of->bytes);
    put_head(out, subs, "subscribers of a topic", GAUGE);
    for (int i = 0; i < n; i++)
        put_topic_line(out, subs, &top[i], top[i].of->subscribers);
}

static void put_metric(buf *out, int i, metric_value v)
{
    char name[METRIC_NAME_MAX + 24], number[40];
    bool ms;
    name_of(&metrics[i], name, &ms);
    put_head(out, name, metrics[i].help, metrics[i].kind);
    if (v.type == METRIC_REAL)
        number[json_format_real(ms ? v.r / 1e3 : v.r, number)] = '\0';
    else
        snprintf(number, sizeof number, "%lld", (long long)v.i);
    buf_addf(out, "%s %s\n", name, number);
}

void metrics_write_prometheus(buf *out, const metric_set *s, const figure_set *now,
                              const figure_set *was)
{
    for (int i = 0; i < N_METRICS; i++) {
        if (!metric_in(s, i))
            continue;
        metric_value v = metric_get(i, now, was);
        if (v.type == METRIC_TOPICS)
            put_topic_lines(out, now, was);
        else if (v.type != METRIC_NONE) /* what is not known is not there */
            put_metric(out, i, v);
    }
}
