/* Throws bytes at the records of the change log: what is damaged is refused, what is read packs
 * into the same bytes, and as JSON it comes back as the same value. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "engine/value.h"
#include "json/read.h"

enum { MAX = 40 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void through_json(const value *v)
{
    if (v->type == VALUE_TEXT && utf8_valid(v->p, v->len) != v->len)
        return;
    if (v->type == VALUE_REAL && v->d != v->d)
        return; /* a NaN never occurs */
    buf text = BUF_INIT;
    json_writer w;
    arena mem = ARENA_INIT;
    value back;
    error e;
    jw_init(&w, &text);
    value_write_json(&w, v);
    json_t *j = json_read_text(text.data, text.len, &e);
    if (!j || !value_from_json(&back, j, &mem, "v", &e) || !value_equal(v, &back))
        abort();
    json_decref(j);
    arena_free(&mem);
    buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    value v[MAX];
    if (size < 1)
        return 0;
    int n = data[0] % (MAX + 1);
    size--;
    char *record = malloc(size ? size : 1); /* of just this size, so that a byte too far is seen */
    memcpy(record, data + 1, size);
    long used = value_unpack(record, size, v, n);
    if (used > (long)size)
        abort();
    if (used >= 0) {
        buf again = BUF_INIT;
        value_pack(&again, v, n);
        if (again.len != (size_t)used || (used && memcmp(again.data, record, again.len) != 0))
            abort();
        for (int i = 0; i < n; i++)
            through_json(&v[i]);
        buf_free(&again);
    }
    free(record);
    return 0;
}
