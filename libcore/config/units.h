/* Numbers with units, as people write them in settings and flags. Any thread. */
#ifndef CONFIG_UNITS_H
#define CONFIG_UNITS_H

#include <stdbool.h>
#include <stdint.h>

/* A plain decimal number, a sign allowed. False when it is none or beyond 64 bits. */
bool units_parse_int(const char *text, int64_t *out);
/* Bytes: a number with k, m, g or t (powers of 1024; "kb" and "kib" as well; capitals too). */
bool units_parse_size(const char *text, int64_t *out);
/* Milliseconds: a number with ms, s, min, h or d; without a unit: milliseconds. */
bool units_parse_ms(const char *text, int64_t *out);

/* The shortest exact form of a number of bytes or milliseconds: "16m", "90s". `out` has room for 24
 * bytes. */
void units_format_size(int64_t bytes, char *out);
void units_format_ms(int64_t ms, char *out);

#endif
