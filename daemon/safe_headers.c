#include "daemon/safe_headers.h"

#include <stdbool.h>
#include <string.h>

/* The one table of them. An answer that is data can load nothing and stand in no frame; a page says
 * itself what it needs (pages.c). */
static const struct {
    const char *name; /* with its colon */
    const char *line;
} table[] = {
    {"X-Content-Type-Options:", "X-Content-Type-Options: nosniff\r\n"},
    {"X-Frame-Options:", "X-Frame-Options: DENY\r\n"},
    {"Referrer-Policy:", "Referrer-Policy: no-referrer\r\n"},
    {"Cross-Origin-Resource-Policy:", "Cross-Origin-Resource-Policy: same-origin\r\n"},
    {"Content-Security-Policy:",
     "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n"},
    {"Cache-Control:", "Cache-Control: no-store\r\n"},
};

void safe_headers_put(buf *out, const char *own)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        bool said = own && strstr(own, table[i].name);
        if (!said)
            buf_adds(out, table[i].line);
    }
}
