/* Inside the scanner: its three parts and what they ask of each other. scan_path.c follows the JSON
 * pointer, scan_grammar.c looks at one byte after the other, scan.c handles pieces and elements. */
#ifndef JSON_SCAN_INNER_H
#define JSON_SCAN_INNER_H

#include "json/scan.h"

/* What a byte does to the open element. */
typedef enum step_result {
    STEP_ON,    /* nothing; the byte is used */
    STEP_ENDS,  /* it ends with this byte */
    STEP_ENDED, /* it ended before this byte, which is to be looked at again */
    STEP_AGAIN, /* no element ended, but the byte is to be looked at again */
    STEP_MALFORMED,
} step_result;

/* Fails for good: message, line and offset. */
scan_result scan_fail(json_scan *s, error_code code, const char *what);

/* scan_grammar.c */
step_result scan_step(json_scan *s, char c);
/* Closes a number that nothing follows. */
void scan_end_number(json_scan *s);

/* scan_path.c */
bool scan_path_parse(json_scan *s, const char *pointer, error *e);
/* The pointer as it was written, for messages. */
void scan_path_describe(const json_scan *s, char *out, size_t room);
/* Whether the value that begins now is on the way to the array, or is it. */
bool scan_path_here(const json_scan *s);
/* The name of a member: its beginning, a byte, a \uXXXX code unit, its end. */
void scan_key_begin(json_scan *s);
void scan_key_byte(json_scan *s, char c);
void scan_key_unit(json_scan *s, unsigned c);
void scan_key_end(json_scan *s);

#endif
