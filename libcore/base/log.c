#include "base/log.h"
#include "base/clock.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static atomic_int max_level = LOG_LEVEL_INFO;
static bool as_json;

static const char *const names[] = {"error", "warn", "info", "debug"};

void log_init(log_level level, bool json)
{
    atomic_store(&max_level, level);
    as_json = json;
}

void log_set_level(log_level level)
{
    atomic_store(&max_level, level);
}

bool log_enabled(log_level level)
{
    return (int)level <= atomic_load_explicit(&max_level, memory_order_relaxed);
}

bool log_parse_level(const char *name, log_level *out)
{
    for (int i = 0; i < 4; i++) {
        if (strcmp(names[i], name) == 0) {
            *out = (log_level)i;
            return true;
        }
    }
    return false;
}

/* Characters beyond ASCII that move a terminal or turn the direction of text: C1 controls, line and
 * paragraph separators, direction marks. Their length and number, or 0. */
static size_t is_control(const unsigned char *s, unsigned *code)
{
    if (s[0] == 0xC2 && s[1] >= 0x80 && s[1] < 0xA0) {
        *code = s[1];
        return 2;
    }
    if (s[0] != 0xE2 || (s[1] & 0xC0) != 0x80 || (s[2] & 0xC0) != 0x80)
        return 0;
    *code = 0x2000 | (s[1] & 0x3Fu) << 6 | (s[2] & 0x3Fu);
    bool bad = *code == 0x200E || *code == 0x200F || (*code >= 0x2028 && *code <= 0x202E) ||
               (*code >= 0x2066 && *code <= 0x2069);
    return bad ? 3 : 0;
}

/* Escapes what would break the line (or the JSON string) and returns the bytes written. */
static size_t escape(char *out, size_t room, const char *s)
{
    size_t n = 0;
    for (; *s && n + 7 < room; s++) {
        unsigned char c = (unsigned char)*s;
        unsigned code = c;
        size_t more = is_control((const unsigned char *)s, &code);
        if (c < 0x20 || c == 0x7F || more) {
            n += (size_t)snprintf(out + n, room - n, "\\u%04x", code);
            s += more ? more - 1 : 0;
        } else if (c == '\\' || (as_json && c == '"')) {
            out[n++] = '\\';
            out[n++] = (char)c;
        } else {
            out[n++] = (char)c;
        }
    }
    out[n] = '\0';
    return n;
}

void log_line(log_level level, const char *event, const char *fmt, ...)
{
    if (!log_enabled(level))
        return;
    char message[1024], safe[1400], stamp[CLOCK_RFC3339_LEN + 1], line[1600];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(message, sizeof message, fmt, ap);
    va_end(ap);
    escape(safe, sizeof safe, message);
    clock_rfc3339(clock_wall_us(), stamp);
    int n =
        as_json
            ? snprintf(line, sizeof line,
                       "{\"time\":\"%s\",\"level\":\"%s\",\"event\":\"%s\",\"message\":\"%s\"}\n",
                       stamp, names[level], event, safe)
            : snprintf(line, sizeof line, "%s %-5s %s: %s\n", stamp, names[level], event, safe);
    if (n > (int)sizeof line - 1)
        n = (int)sizeof line - 1;
    /* One write per line keeps lines of different threads apart. */
    ssize_t ignored = write(STDERR_FILENO, line, (size_t)n);
    (void)ignored;
}
