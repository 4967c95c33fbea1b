#include "json/scan_inner.h"

#include <stdio.h>
#include <string.h>

/* ---- values -----------------------------------------------------------------------------------
 */

static step_result refuse(json_scan *s, const char *what)
{
    scan_fail(s, ERR_INVALID_MESSAGE, what);
    return STEP_MALFORMED;
}

/* The pointer leads to this value: it must be the array, and be it once. */
static step_result enter_target(json_scan *s, char c)
{
    char where[120], what[200];
    scan_path_describe(s, where, sizeof where);
    if (s->found)
        snprintf(what, sizeof what, "there are two values at %s", where);
    else
        snprintf(what, sizeof what, "the value at %s is not an array", where);
    if (s->found || c != '[')
        return refuse(s, what);
    s->found = true;
    s->array_depth = s->depth + 1;
    return STEP_ON;
}

static step_result open_container(json_scan *s, bool object, bool on_path)
{
    if (s->depth == JSON_MAX_DEPTH)
        return refuse(s, "the JSON is nested too deeply");
    s->is_object[s->depth] = object;
    s->index[s->depth] = 0;
    if (on_path)
        s->on_path = s->depth + 1;
    s->depth++;
    s->state = object ? SCAN_KEY_OR_END : SCAN_VALUE_OR_END;
    return STEP_ON;
}

static step_result begin_value(json_scan *s, char c)
{
    bool on_path = scan_path_here(s);
    if (s->array_depth && s->depth == s->array_depth) {
        s->mark = s->in;
        s->n_elements++;
        s->element_line = s->line;
        s->element_offset = s->offset;
    }
    if (on_path && s->depth == s->n_tokens && enter_target(s, c) == STEP_MALFORMED)
        return STEP_MALFORMED;
    switch (c) {
    case '{':
    case '[':
        return open_container(s, c == '{', on_path);
    case '"':
        s->state = SCAN_STRING;
        s->in_key = false;
        return STEP_ON;
    case 't':
        s->literal = "rue";
        break;
    case 'f':
        s->literal = "alse";
        break;
    case 'n':
        s->literal = "ull";
        break;
    case '-':
        s->state = SCAN_MINUS;
        return STEP_ON;
    case '0':
        s->state = SCAN_ZERO;
        return STEP_ON;
    default:
        if (c < '1' || c > '9')
            return refuse(s, "a JSON value is missing");
        s->state = SCAN_INTEGER;
        return STEP_ON;
    }
    s->state = SCAN_LITERAL;
    return STEP_ON;
}

/* A value has ended; says whether that was an element. */
static bool end_value(json_scan *s)
{
    s->state = s->depth ? SCAN_AFTER : SCAN_DONE;
    return s->array_depth && s->depth == s->array_depth;
}

static step_result close_container(json_scan *s, char c)
{
    if (s->is_object[s->depth - 1] != (c == '}'))
        return refuse(s, c == '}' ? "a } closes an array" : "a ] closes an object");
    s->depth--;
    if (s->on_path > s->depth)
        s->on_path = s->depth;
    if (s->array_depth > s->depth)
        s->array_depth = 0;
    return end_value(s) ? STEP_ENDS : STEP_ON;
}

static step_result after_value(json_scan *s, char c)
{
    bool object = s->is_object[s->depth - 1];
    if (c == '}' || c == ']')
        return close_container(s, c);
    if (c != ',')
        return refuse(s, object ? "a , or } is missing" : "a , or ] is missing");
    s->index[s->depth - 1]++;
    s->state = object ? SCAN_KEY : SCAN_VALUE;
    return STEP_ON;
}

/* ---- strings, literals, numbers ---------------------------------------------------------------
 */

static step_result in_string(json_scan *s, char c)
{
    if (c == '"') {
        if (!s->in_key)
            return end_value(s) ? STEP_ENDS : STEP_ON;
        scan_key_end(s);
        s->state = SCAN_COLON;
    } else if (c == '\\') {
        s->state = SCAN_ESCAPE;
    } else if ((unsigned char)c < 0x20) {
        return refuse(s, "a control character stands in a string");
    } else if (s->in_key) {
        scan_key_byte(s, c);
    }
    return STEP_ON;
}

static step_result in_escape(json_scan *s, char c)
{
    static const char names[] = "\"\\/bfnrt", means[] = "\"\\/\b\f\n\r\t";
    const char *found = c ? strchr(names, c) : NULL;
    if (c == 'u') {
        s->state = SCAN_UNICODE;
        s->hex_left = 4;
        s->code = 0;
    } else if (found) {
        if (s->in_key)
            scan_key_byte(s, means[found - names]);
        s->state = SCAN_STRING;
    } else {
        return refuse(s, "there is no such escape in JSON");
    }
    return STEP_ON;
}

static step_result in_unicode(json_scan *s, char c)
{
    unsigned digit;
    if (c >= '0' && c <= '9')
        digit = (unsigned)(c - '0');
    else if ((c | 32) >= 'a' && (c | 32) <= 'f')
        digit = (unsigned)((c | 32) - 'a') + 10;
    else
        return refuse(s, "\\u needs four hexadecimal digits");
    s->code = s->code << 4 | digit;
    if (--s->hex_left == 0) {
        s->state = SCAN_STRING;
        if (s->in_key)
            scan_key_unit(s, s->code);
    }
    return STEP_ON;
}

static step_result in_literal(json_scan *s, char c)
{
    if (c != *s->literal)
        return refuse(s, "a JSON value is missing");
    s->literal++;
    if (*s->literal)
        return STEP_ON;
    return end_value(s) ? STEP_ENDS : STEP_ON;
}

void scan_end_number(json_scan *s)
{
    if (s->state == SCAN_ZERO || s->state == SCAN_INTEGER || s->state == SCAN_FRACTION ||
        s->state == SCAN_POWER)
        end_value(s);
}

static step_result in_number(json_scan *s, char c)
{
    bool digit = c >= '0' && c <= '9';
    switch (s->state) {
    case SCAN_MINUS:
        if (digit) {
            s->state = c == '0' ? SCAN_ZERO : SCAN_INTEGER;
            return STEP_ON;
        }
        break;
    case SCAN_POINT:
        if (digit) {
            s->state = SCAN_FRACTION;
            return STEP_ON;
        }
        break;
    case SCAN_EXPONENT:
    case SCAN_SIGN:
        if (digit || (s->state == SCAN_EXPONENT && (c == '+' || c == '-'))) {
            s->state = digit ? SCAN_POWER : SCAN_SIGN;
            return STEP_ON;
        }
        break;
    default:
        if (digit && s->state != SCAN_ZERO)
            return STEP_ON;
        if (c == '.' && (s->state == SCAN_ZERO || s->state == SCAN_INTEGER)) {
            s->state = SCAN_POINT;
            return STEP_ON;
        }
        if ((c | 32) == 'e' && s->state != SCAN_POWER) {
            s->state = SCAN_EXPONENT;
            return STEP_ON;
        }
        if (!digit)
            return end_value(s) ? STEP_ENDED : STEP_AGAIN;
    }
    return refuse(s, "a number is malformed");
}

/* ---- the machine ------------------------------------------------------------------------------
 */

step_result scan_step(json_scan *s, char c)
{
    switch (s->state) {
    case SCAN_STRING:
        return in_string(s, c);
    case SCAN_ESCAPE:
        return in_escape(s, c);
    case SCAN_UNICODE:
        return in_unicode(s, c);
    case SCAN_LITERAL:
        return in_literal(s, c);
    case SCAN_MINUS:
    case SCAN_ZERO:
    case SCAN_INTEGER:
    case SCAN_POINT:
    case SCAN_FRACTION:
    case SCAN_EXPONENT:
    case SCAN_SIGN:
    case SCAN_POWER:
        return in_number(s, c);
    default:
        break;
    }
    if (c == ' ' || c == '\n' || c == '\t' || c == '\r')
        return STEP_ON;
    switch (s->state) {
    case SCAN_VALUE_OR_END:
        return c == ']' ? close_container(s, c) : begin_value(s, c);
    case SCAN_KEY_OR_END:
        if (c == '}')
            return close_container(s, c);
        /* fall through */
    case SCAN_KEY:
        if (c != '"')
            return refuse(s, "a member's name is missing");
        s->state = SCAN_STRING;
        s->in_key = true;
        scan_key_begin(s);
        return STEP_ON;
    case SCAN_COLON:
        if (c != ':')
            return refuse(s, "a : is missing");
        s->state = SCAN_VALUE;
        return STEP_ON;
    case SCAN_AFTER:
        return after_value(s, c);
    case SCAN_DONE:
        return refuse(s, "something stands behind the end of the JSON");
    default:
        return begin_value(s, c);
    }
}
