/* The daemon's log: one line per event on standard error, as text or as JSON. Any thread.
 *
 * A line has a level, an event name that scripts can match ("listening", "slow_query"), and a
 * message. Control characters are escaped, so nobody's input can forge a second line. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

typedef enum log_level {
    LOG_LEVEL_ERROR,
    LOG_LEVEL_WARN,
    LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG
} log_level;

/* Called before other threads exist; log_set_level may be called at any time. */
void log_init(log_level level, bool json);
void log_set_level(log_level level);
bool log_enabled(log_level level);
bool log_parse_level(const char *name, log_level *out);

void log_line(log_level level, const char *event, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#define log_error(event, ...) log_line(LOG_LEVEL_ERROR, event, __VA_ARGS__)
#define log_warn(event, ...)  log_line(LOG_LEVEL_WARN, event, __VA_ARGS__)
#define log_info(event, ...)  log_line(LOG_LEVEL_INFO, event, __VA_ARGS__)
#define log_debug(event, ...)                                                                      \
    do {                                                                                           \
        if (log_enabled(LOG_LEVEL_DEBUG))                                                          \
            log_line(LOG_LEVEL_DEBUG, event, __VA_ARGS__);                                         \
    } while (0)

#endif
