#include "daemon/metrics_topics.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static topic_count *new_item(topic_list *l)
{
    if (l->n == l->cap) {
        int cap = l->cap ? 2 * l->cap : 16;
        topic_count *items = mem_realloc(l->items, (size_t)cap * sizeof *items);
        if (!items)
            return NULL;
        l->items = items;
        l->cap = cap;
    }
    return &l->items[l->n];
}

void topics_add(topic_list *l, const char *name, int64_t subscribers, int64_t messages,
                int64_t bytes)
{
    topic_count *t = new_item(l);
    char *copy = t ? mem_strndup(name, strlen(name)) : NULL;
    if (!copy) {
        l->failed = true;
        return;
    }
    *t = (topic_count){copy, subscribers, messages, bytes};
    l->n++;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const topic_count *)a)->name, ((const topic_count *)b)->name);
}

/* Those of the same name, which stand side by side, become one. */
static void join_equal(topic_list *l)
{
    int kept = 0;
    for (int i = 0; i < l->n; i++) {
        topic_count *t = &l->items[i];
        topic_count *last = kept ? &l->items[kept - 1] : NULL;
        if (last && strcmp(last->name, t->name) == 0) {
            last->subscribers += t->subscribers;
            last->messages += t->messages;
            last->bytes += t->bytes;
            mem_free(t->name);
        } else {
            l->items[kept++] = *t;
        }
    }
    l->n = kept;
}

void topics_merge(topic_list *to, topic_list *from)
{
    for (int i = 0; i < from->n; i++) {
        topic_count *t = new_item(to);
        if (t) {
            *t = from->items[i];
            to->n++;
        } else {
            to->failed = true;
            mem_free(from->items[i].name);
        }
    }
    to->failed = to->failed || from->failed;
    mem_free(from->items);
    *from = (topic_list){0};
    if (to->n)
        qsort(to->items, (size_t)to->n, sizeof *to->items, by_name);
    join_equal(to);
}

bool topics_copy(topic_list *to, const topic_list *from)
{
    *to = (topic_list){.failed = from->failed};
    for (int i = 0; i < from->n; i++) {
        const topic_count *t = &from->items[i];
        topics_add(to, t->name, t->subscribers, t->messages, t->bytes);
    }
    return to->failed == from->failed;
}

void topics_free(topic_list *l)
{
    for (int i = 0; i < l->n; i++)
        mem_free(l->items[i].name);
    mem_free(l->items);
    *l = (topic_list){0};
}

/* A stream that was made anew meanwhile began at zero. */
static int64_t grown(int64_t now, int64_t was)
{
    return now < was ? now : now - was;
}

static topic_rate rate_of(const topic_count *t, const topic_list *was, int64_t span_us)
{
    static const topic_count none;
    const topic_count *old =
        was->n ? bsearch(t, was->items, (size_t)was->n, sizeof *was->items, by_name) : NULL;
    double seconds = (double)(span_us > 0 ? span_us : 1) / 1e6;
    if (!old)
        old = &none;
    return (topic_rate){
        .of = t,
        .messages = (double)grown(t->messages, old->messages) / seconds,
        .bytes = (double)grown(t->bytes, old->bytes) / seconds,
    };
}

static bool busier(const topic_rate *a, const topic_rate *b)
{
    if (a->messages != b->messages)
        return a->messages > b->messages;
    return a->of->messages > b->of->messages;
}

int topics_rank(const topic_list *now, const topic_list *was, int64_t span_us,
                topic_rate out[TOPICS_TOP])
{
    int n = 0;
    for (int i = 0; i < now->n; i++) {
        topic_rate r = rate_of(&now->items[i], was, span_us);
        int at = n;
        while (at > 0 && busier(&r, &out[at - 1]))
            at--;
        if (at == TOPICS_TOP)
            continue;
        if (n < TOPICS_TOP)
            n++;
        memmove(&out[at + 1], &out[at], (size_t)(n - 1 - at) * sizeof *out);
        out[at] = r;
    }
    return n;
}
