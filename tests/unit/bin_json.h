/* Messages of rustydb.bin.v1 as JSON, by the tables of wire/bin_layout.h: what the test vectors in
 * tests/data/bin say that their bytes mean. Blobs are hex texts, an enum's variant is its name or
 * {name: fields}, None is null. */
#ifndef TEST_BIN_JSON_H
#define TEST_BIN_JSON_H

#include <jansson.h>

#include "wire/bin_message.h"

json_t *bin_json(const bin_message *m);

#endif
