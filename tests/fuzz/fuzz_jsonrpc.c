/* Throws messages at the reading of JSON-RPC 2.0. The slices that come out lie within the text; the
 * grammar agrees with the parser that makes trees; an answer to whatever was asked is JSON. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "json/read.h"
#include "wire/jsonrpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_lie_within(json_slice inner, const char *p, size_t n)
{
    if (inner.n && (inner.p < p || inner.p + inner.n > p + n))
        abort();
}

static void must_be_json(const char *p, size_t n)
{
    error e;
    json_slice whole;
    if (!json_slice_text(p, n, &whole, &e))
        abort();
}

static void ask(json_slice one, const char *p, size_t size)
{
    error e;
    rpc_request q;
    error_clear(&e);
    bool good = rpc_read(one, &q, &e);
    must_lie_within(q.id, p, size);
    if (q.id.n > RPC_MAX_ID)
        abort();
    if (good) {
        must_lie_within(q.params, p, size);
        if (q.params.n)
            must_be_json(q.params.p, q.params.n);
    } else if (e.code != ERR_INVALID_MESSAGE || !*e.message) {
        abort();
    }
    buf out = BUF_INIT;
    json_writer w;
    rpc_begin_answer(&w, &out, q.id);
    jw_key(&w, "result");
    jw_null(&w);
    jw_end_object(&w);
    must_be_json(out.data, out.len);
    buf_free(&out);
}

static void name_params(const char *p, size_t size)
{
    static const char *const names[] = {"a", "b", "c"};
    error e;
    error_clear(&e);
    json_t *positional = json_read_text(p, size, &e);
    if (json_is_array(positional)) {
        json_t *named = rpc_named(positional, names, 3, &e);
        if ((named != NULL) != (json_array_size(positional) <= 3))
            abort();
        json_decref(named);
    }
    json_decref(positional);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *p = (const char *)data;
    json_slice whole, value;
    error e, tree_error;
    error_clear(&e);
    bool is_json = json_slice_text(p, size, &whole, &e);
    json_t *tree = json_read_text(p, size, &tree_error);
    if (tree && !is_json)
        abort();
    json_decref(tree);
    if (!is_json) {
        if (e.code != ERR_INVALID_MESSAGE || e.position > (int64_t)size)
            abort();
        return 0;
    }
    must_lie_within(whole, p, size);
    ask(whole, p, size);
    json_slice name;
    for (json_items at = json_items_of(whole); json_items_next(&at, &name, &value);) {
        must_lie_within(value, whole.p, whole.n);
        must_be_json(value.p, value.n);
        ask(value, p, size);
    }
    name_params(p, size);
    return 0;
}
