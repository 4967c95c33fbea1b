#include "cli/sniff.h"

#include <string.h>
#include <strings.h>

static const struct {
    const char *suffix, *format;
} suffixes[] = {{".json", "json"}, {".jsonl", "jsonl"}, {".ndjson", "jsonl"}, {".csv", "csv"}};

static size_t skip_space(const char *p, size_t n, size_t i)
{
    while (i < n && strchr(" \t\r\n", p[i]) && p[i])
        i++;
    return i;
}

/* Behind the object that begins at i; n when it does not end within the text. */
static size_t skip_object(const char *p, size_t n, size_t i)
{
    int depth = 0;
    bool quoted = false;
    for (; i < n; i++) {
        if (quoted) {
            if (p[i] == '\\')
                i++;
            else
                quoted = p[i] != '"';
        } else if (p[i] == '"') {
            quoted = true;
        } else if (p[i] == '{' || p[i] == '[') {
            depth++;
        } else if ((p[i] == '}' || p[i] == ']') && --depth == 0) {
            return i + 1;
        }
    }
    return n;
}

const char *sniff_format(const char *name, bool at, const char *p, size_t n)
{
    size_t length = strlen(name);
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        size_t k = strlen(suffixes[i].suffix);
        if (length > k && strcasecmp(name + length - k, suffixes[i].suffix) == 0)
            return suffixes[i].format;
    }
    size_t i = skip_space(p, n, n >= 3 && memcmp(p, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0);
    if (at || (i < n && p[i] == '['))
        return "json";
    if (i >= n || p[i] != '{')
        return "csv";
    i = skip_space(p, n, skip_object(p, n, i));
    return i < n && p[i] == '{' ? "jsonl" : "json";
}
