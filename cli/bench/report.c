#include "cli/bench/report.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "json/writer.h"

static bench_figure *next_figure(bench_report *r, const char *name)
{
    if (r->n == BENCH_REPORT_MAX)
        return NULL;
    bench_figure *f = &r->figure[r->n++];
    *f = (bench_figure){.count = -1};
    snprintf(f->name, sizeof f->name, "%s", name);
    return f;
}

void bench_report_add(bench_report *r, const char *name, const char *unit, int digits, double value)
{
    bench_figure *f = next_figure(r, name);
    if (!f)
        return;
    f->unit = unit;
    f->digits = digits;
    f->value = value;
}

void bench_report_hist(bench_report *r, const char *name, const bench_hist *h)
{
    bench_figure *f = next_figure(r, name);
    if (!f)
        return;
    f->unit = "us";
    f->count = (int64_t)h->count;
    f->mean = bench_hist_mean(h);
    f->p50 = bench_hist_percentile(h, 50);
    f->p95 = bench_hist_percentile(h, 95);
    f->p99 = bench_hist_percentile(h, 99);
    f->max = h->max;
}

static void put_duration(buf *out, const char *label, int64_t us)
{
    if (us < 10000)
        buf_addf(out, "  %s %lld us", label, (long long)us);
    else
        buf_addf(out, "  %s %.1f ms", label, (double)us / 1000);
}

static void put_text(buf *out, const bench_figure *f)
{
    char words[sizeof f->name];
    snprintf(words, sizeof words, "%s", f->name);
    for (char *c = words; *c; c++)
        if (*c == '_')
            *c = ' ';
    buf_addf(out, "  %-36s", words);
    if (f->count < 0) {
        buf_addf(out, "  %.*f%s%s\n", f->digits, f->value, f->unit ? " " : "",
                 f->unit ? f->unit : "");
        return;
    }
    put_duration(out, "p50", f->p50);
    put_duration(out, "p95", f->p95);
    put_duration(out, "p99", f->p99);
    put_duration(out, "max", f->max);
    buf_addc(out, '\n');
}

void bench_report_text(const bench_report *r, buf *out)
{
    buf_addf(out, "%s against %s: %s\n", r->scenario, r->against, r->with);
    for (int i = 0; i < r->n; i++)
        put_text(out, &r->figure[i]);
}

static void put_number(json_writer *w, double value, int digits)
{
    if (!isfinite(value)) {
        jw_null(w);
    } else if (!digits && fabs(value) < 9e15) {
        jw_int(w, (int64_t)llround(value));
    } else {
        double scale = pow(10, digits);
        jw_real(w, round(value * scale) / scale);
    }
}

static void put_json(json_writer *w, const bench_figure *f)
{
    char key[sizeof f->name + 16];
    snprintf(key, sizeof key, "%s%s%s", f->name, f->unit ? "_" : "", f->unit ? f->unit : "");
    jw_keyn(w, key, strlen(key));
    if (f->count < 0) {
        put_number(w, f->value, f->digits);
        return;
    }
    jw_begin_object(w);
    jw_key(w, "count");
    jw_int(w, f->count);
    jw_key(w, "mean");
    put_number(w, f->mean, 1);
    jw_key(w, "p50");
    jw_int(w, f->p50);
    jw_key(w, "p95");
    jw_int(w, f->p95);
    jw_key(w, "p99");
    jw_int(w, f->p99);
    jw_key(w, "max");
    jw_int(w, f->max);
    jw_end_object(w);
}

void bench_report_json(const bench_report *r, buf *out)
{
    json_writer w;
    jw_init(&w, out);
    jw_begin_object(&w);
    jw_key(&w, "scenario");
    jw_str(&w, r->scenario);
    jw_key(&w, "against");
    jw_str(&w, r->against);
    jw_key(&w, "with");
    jw_str(&w, r->with);
    jw_key(&w, "figures");
    jw_begin_object(&w);
    for (int i = 0; i < r->n; i++)
        put_json(&w, &r->figure[i]);
    jw_end_object(&w);
    jw_end_object(&w);
    buf_addc(out, '\n');
}
