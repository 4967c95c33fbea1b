/* A streaming JSON writer: text goes straight into a buf, no tree in between.
 *
 * The writer puts commas where they belong and trusts its caller to nest properly. Errors are the
 * buf's sticky `failed` flag. Whatever bytes come in, the output is valid JSON in valid UTF-8:
 * malformed sequences become U+FFFD. One thread. */
#ifndef JSON_WRITER_H
#define JSON_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

typedef struct json_writer {
    buf *out;        /* not owned */
    bool need_comma; /* the next item in the open object or array needs a comma before it */
} json_writer;

void jw_init(json_writer *w, buf *out);

void jw_begin_object(json_writer *w);
void jw_end_object(json_writer *w);
void jw_begin_array(json_writer *w);
void jw_end_array(json_writer *w);
void jw_key(json_writer *w, const char *key);            /* a literal that needs no escapes */
void jw_keyn(json_writer *w, const char *key, size_t n); /* any text */

void jw_str(json_writer *w, const char *s); /* NULL gives null */
void jw_strn(json_writer *w, const char *s, size_t n);
void jw_int(json_writer *w, int64_t v);
void jw_uint(json_writer *w, uint64_t v);
/* The shortest decimal that reads back as the same double, always with a point or an exponent so
 * that it stays a real. Infinities become {"$real":"Infinity"} or {"$real":"-Infinity"}; a NaN
 * becomes null, as SQLite itself has it. */
void jw_real(json_writer *w, double v);
void jw_bool(json_writer *w, bool v);
void jw_null(json_writer *w);
void jw_base64(json_writer *w, const void *p, size_t n); /* {"$base64":"..."} */
void jw_raw(json_writer *w, const char *json, size_t n); /* one complete value, as it is */

/* Appends n bytes in base64 (RFC 4648, section 4). */
void json_add_base64(buf *out, const void *p, size_t n);
/* Shortest decimal for a finite double into out (at least 32 bytes); returns its length. */
size_t json_format_real(double v, char *out);

/* A member of the object that is open: its key (a literal that needs no escapes) and its value. */
void jw_key_str(json_writer *w, const char *key, const char *s); /* NULL gives null */
void jw_key_int(json_writer *w, const char *key, int64_t v);
void jw_key_bool(json_writer *w, const char *key, bool v);
void jw_key_strs(json_writer *w, const char *key, const char *const *texts, int n); /* an array */
void jw_key_time(json_writer *w, const char *key, int64_t wall_us); /* RFC 3339; 0 gives null */

#endif
