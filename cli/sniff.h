/* What kind of data a file to be imported holds. */
#ifndef CLI_SNIFF_H
#define CLI_SNIFF_H

#include <stdbool.h>
#include <stddef.h>

/* "json", "jsonl" or "csv", from the file's name when it ends in .json, .jsonl, .ndjson or .csv,
 * otherwise from its first bytes. at: the rows are inside a JSON document. */
const char *sniff_format(const char *name, bool at, const char *p, size_t n);

#endif
