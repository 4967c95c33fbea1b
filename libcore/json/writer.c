#include "json/writer.h"

#include "base/clock.h"
#include "base/utf8.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void jw_init(json_writer *w, buf *out)
{
    w->out = out;
    w->need_comma = false;
}

static inline void before_value(json_writer *w)
{
    if (w->need_comma)
        buf_addc(w->out, ',');
    w->need_comma = true;
}

static void open_with(json_writer *w, char c)
{
    before_value(w);
    buf_addc(w->out, c);
    w->need_comma = false;
}

static void close_with(json_writer *w, char c)
{
    buf_addc(w->out, c);
    w->need_comma = true;
}

void jw_begin_object(json_writer *w)
{
    open_with(w, '{');
}

void jw_end_object(json_writer *w)
{
    close_with(w, '}');
}

void jw_begin_array(json_writer *w)
{
    open_with(w, '[');
}

void jw_end_array(json_writer *w)
{
    close_with(w, ']');
}

static void escape_char(buf *out, unsigned char c)
{
    static const char short_form[32] = {
        ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
    if (c == '"' || c == '\\') {
        buf_addc(out, '\\');
        buf_addc(out, (char)c);
    } else if (c < 0x20 && short_form[c]) {
        buf_addc(out, '\\');
        buf_addc(out, short_form[c]);
    } else {
        buf_addf(out, "\\u%04x", c);
    }
}

static void write_string(buf *out, const char *s, size_t n)
{
    const unsigned char *p = (const unsigned char *)s;
    size_t plain = 0; /* start of the run that needs no change */
    buf_addc(out, '"');
    for (size_t i = 0; i < n;) {
        unsigned char c = p[i];
        if (c >= 0x20 && c != '"' && c != '\\' && c < 0x80) {
            i++;
            continue;
        }
        size_t len = c >= 0x80 ? utf8_sequence(p + i, n - i) : 0;
        if (len) {
            i += len;
            continue;
        }
        buf_add(out, s + plain, i - plain);
        if (c >= 0x80)
            buf_add(out, "\xEF\xBF\xBD", 3);
        else
            escape_char(out, c);
        plain = ++i;
    }
    buf_add(out, s + plain, n - plain);
    buf_addc(out, '"');
}

void jw_keyn(json_writer *w, const char *key, size_t n)
{
    before_value(w);
    write_string(w->out, key, n);
    buf_addc(w->out, ':');
    w->need_comma = false;
}

void jw_key(json_writer *w, const char *key)
{
    before_value(w);
    buf_addc(w->out, '"');
    buf_adds(w->out, key);
    buf_add(w->out, "\":", 2);
    w->need_comma = false;
}

void jw_strn(json_writer *w, const char *s, size_t n)
{
    before_value(w);
    write_string(w->out, s, n);
}

void jw_str(json_writer *w, const char *s)
{
    if (s)
        jw_strn(w, s, strlen(s));
    else
        jw_null(w);
}

static size_t format_uint(uint64_t v, char *end)
{
    char *p = end;
    do {
        *--p = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    return (size_t)(end - p);
}

void jw_int(json_writer *w, int64_t v)
{
    char text[24], *end = text + sizeof text;
    size_t n = format_uint(v < 0 ? -(uint64_t)v : (uint64_t)v, end);
    if (v < 0)
        *(end - ++n) = '-';
    before_value(w);
    buf_add(w->out, end - n, n);
}

void jw_uint(json_writer *w, uint64_t v)
{
    char text[24], *end = text + sizeof text;
    size_t n = format_uint(v, end);
    before_value(w);
    buf_add(w->out, end - n, n);
}

/* Doubles with few decimals, by far the most common: v = r / 10^k with r below 2^53 and k <= 6.
 * Both are exact as doubles and division rounds correctly, so if r / 10^k gives v back, a reader of
 * the decimal gets v as well; trying small k first makes it the shortest. 0 when v is not of this
 * kind. */
static size_t format_few_decimals(double v, char *out)
{
    static const double pow10[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6};
    double a = fabs(v);
    if (!(a < 1e15) || (a < 1e-4 && a != 0))
        return 0;
    for (int k = 0; k <= 6; k++) {
        double scaled = a * pow10[k];
        if (scaled >= 9007199254740992.0)
            return 0;
        double r = rint(scaled);
        if (r / pow10[k] != a)
            continue;
        char digits[24], *end = digits + sizeof digits;
        size_t n = format_uint((uint64_t)r, end), places = k ? (size_t)k : 1, at = 0;
        if (!k) { /* a whole number: "12.0" */
            memmove(end - n - 1, end - n, n);
            end[-1] = '0';
            n++;
        }
        while (n <= places) {
            *(end - ++n) = '0';
        }
        if (signbit(v))
            out[at++] = '-';
        memcpy(out + at, end - n, n - places);
        at += n - places;
        out[at++] = '.';
        memcpy(out + at, end - places, places);
        return at + places;
    }
    return 0;
}

size_t json_format_real(double v, char *out)
{
    size_t n = format_few_decimals(v, out);
    if (n)
        return n;
    /* A normal double keeps any decimal of 15 digits, so fewer need not be tried: %g drops zeros.
     */
    int first = fabs(v) < DBL_MIN ? 1 : 15;
    for (int precision = first; precision <= 17; precision++) {
        n = (size_t)snprintf(out, 32, "%.*g", precision, v);
        if (precision == 17 || strtod(out, NULL) == v)
            break;
    }
    /* Keep it a real for readers that tell 1 from 1.0. */
    if (!memchr(out, '.', n) && !memchr(out, 'e', n)) {
        out[n++] = '.';
        out[n++] = '0';
    }
    return n;
}

void jw_real(json_writer *w, double v)
{
    if (isnan(v)) {
        jw_null(w);
        return;
    }
    before_value(w);
    if (isinf(v)) {
        buf_adds(w->out, v > 0 ? "{\"$real\":\"Infinity\"}" : "{\"$real\":\"-Infinity\"}");
        return;
    }
    char text[40];
    size_t n = json_format_real(v, text);
    buf_add(w->out, text, n);
}

void jw_bool(json_writer *w, bool v)
{
    before_value(w);
    buf_adds(w->out, v ? "true" : "false");
}

void jw_null(json_writer *w)
{
    before_value(w);
    buf_add(w->out, "null", 4);
}

void json_add_base64(buf *out, const void *data, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *p = data;
    char *to = buf_reserve(out, (n + 2) / 3 * 4);
    if (!to)
        return;
    char *start = to;
    for (; n >= 3; n -= 3, p += 3) {
        *to++ = digits[p[0] >> 2];
        *to++ = digits[(p[0] & 3) << 4 | p[1] >> 4];
        *to++ = digits[(p[1] & 15) << 2 | p[2] >> 6];
        *to++ = digits[p[2] & 63];
    }
    if (n) {
        unsigned second = n == 2 ? p[1] : 0;
        *to++ = digits[p[0] >> 2];
        *to++ = digits[(p[0] & 3) << 4 | second >> 4];
        *to++ = n == 2 ? digits[(second & 15) << 2] : '=';
        *to++ = '=';
    }
    out->len += (size_t)(to - start);
}

void jw_base64(json_writer *w, const void *p, size_t n)
{
    before_value(w);
    buf_adds(w->out, "{\"$base64\":\"");
    json_add_base64(w->out, p, n);
    buf_adds(w->out, "\"}");
}

void jw_raw(json_writer *w, const char *json, size_t n)
{
    before_value(w);
    buf_add(w->out, json, n);
}

/* ---- members ----------------------------------------------------------------------------------
 */

void jw_key_str(json_writer *w, const char *key, const char *s)
{
    jw_key(w, key);
    jw_str(w, s);
}

void jw_key_int(json_writer *w, const char *key, int64_t v)
{
    jw_key(w, key);
    jw_int(w, v);
}

void jw_key_bool(json_writer *w, const char *key, bool v)
{
    jw_key(w, key);
    jw_bool(w, v);
}

void jw_key_strs(json_writer *w, const char *key, const char *const *texts, int n)
{
    jw_key(w, key);
    jw_begin_array(w);
    for (int i = 0; i < n; i++)
        jw_str(w, texts[i]);
    jw_end_array(w);
}

void jw_key_time(json_writer *w, const char *key, int64_t wall_us)
{
    char text[CLOCK_RFC3339_LEN + 1];
    if (wall_us)
        clock_rfc3339(wall_us, text);
    jw_key_str(w, key, wall_us ? text : NULL);
}
