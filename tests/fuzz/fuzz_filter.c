/* Throws expressions at the filter compiler, and events at what it takes. Whatever comes in,
 * nothing but the event may be seen, and normalising twice is normalising once; and a row that
 * matches has the value by which the index would find the filter. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "feed/equality.h"
#include "feed/feed.h"
#include "feed/filter.h"
#include "feed/where.h"

static const char *const names[] = {"id", "name", "data"};
static const char *const types[] = {"INTEGER", "TEXT", ""};
static const char *const collations[] = {"BINARY", "NOCASE", "BINARY"};
static const int pk[3] = {1};
static const table_shape shape = {
    .id = 1,
    .table = "t",
    .n_columns = 3,
    .names = names,
    .types = types,
    .collations = collations,
    .pk = pk,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void normalising_again_changes_nothing(const char *where)
{
    error e;
    buf once = BUF_INIT, twice = BUF_INIT;
    if (where_normalise(where, &once, &e)) {
        if (!where_normalise(buf_cstr(&once), &twice, &e) ||
            strcmp(buf_cstr(&once), buf_cstr(&twice)) != 0)
            abort();
    }
    buf_free(&once);
    buf_free(&twice);
}

static void matching_rows_are_found(const char *where, const value *row)
{
    int column;
    buf wanted = BUF_INIT, has = BUF_INIT;
    if (equality_find(where, &shape, &column, &wanted)) {
        if (column < 0 || column >= shape.n_columns ||
            !equality_key(&shape, column, &row[column], &has) || has.len != wanted.len ||
            memcmp(has.data, wanted.data, has.len) != 0)
            abort();
    }
    buf_free(&wanted);
    buf_free(&has);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static filter_env *env;
    error e;
    if (!env && !(env = filter_env_new(&e)))
        abort();
    if (size > FEED_MAX_WHERE)
        return 0;
    char *where = mem_strndup((const char *)data, size);
    if (!where)
        return 0;
    normalising_again_changes_nothing(where);
    error_clear(&e);
    filter *f = filter_new(env, &shape, where, &e);
    if (f) {
        const value row[] = {{.type = VALUE_INT, .i = 7},
                             {.type = VALUE_TEXT, .len = 4, .p = "Anna"},
                             {.type = VALUE_BLOB, .len = 1, .p = "\xff"}};
        filter_verdict r = filter_match(f, row, NULL, &e);
        if (r == FILTER_YES)
            matching_rows_are_found(where, row);
        if (r == FILTER_NO_MEMORY || filter_match(f, NULL, row, &e) == FILTER_NO_MEMORY)
            abort();
        filter_free(f);
    } else if (e.code != ERR_INVALID_MESSAGE && e.code != ERR_TIMEOUT) {
        abort();
    } else if (e.position > (int64_t)size) {
        abort();
    }
    mem_free(where);
    return 0;
}
