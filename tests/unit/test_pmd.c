/* permessage-deflate: which offers are taken, and that inflating gives back what was compressed,
 * however it is cut, never more than the bound, and tells what is no deflate. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "wire/pmd.h"

static void test_offers(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        int index; /* -1: declined */
        bool client_no_takeover;
    } cases[] = {
        {"", -1, false},
        {"permessage-deflate", 0, false},
        {" permessage-deflate ; client_no_context_takeover", 0, true},
        {"permessage-deflate; server_no_context_takeover;client_no_context_takeover", 0, true},
        {"permessage-deflate; client_max_window_bits", 0, false},
        {"permessage-deflate; client_max_window_bits=8", 0, false},
        {"permessage-deflate; client_max_window_bits=15; server_max_window_bits=15", 0, false},
        {"permessage-deflate; server_max_window_bits=12", 0, false},
        {"permessage-deflate; server_max_window_bits=11", -1, false},
        {"permessage-deflate; server_max_window_bits", -1, false},
        {"permessage-deflate; client_max_window_bits=7", -1, false},
        {"permessage-deflate; client_max_window_bits=16", -1, false},
        {"permessage-deflate; client_max_window_bits=08", -1, false},
        {"permessage-deflate; client_max_window_bits=", -1, false},
        {"permessage-deflate; client_max_window_bits=\"10\"", -1, false},
        {"permessage-deflate; server_no_context_takeover=1", -1, false},
        {"permessage-deflate; unknown", -1, false},
        {"permessage-deflate; client_no_context_takeover; client_no_context_takeover", -1, false},
        {"permessage-deflate;", -1, false},
        {"permessage-deflate; ; client_no_context_takeover", -1, false},
        {"permessage- deflate", -1, false},
        {"permessage-deflat, permessage-deflates, x-webkit-deflate-frame", -1, false},
        {"foo; a=1, permessage-deflate; client_no_context_takeover, bar", 0, true},
        {"permessage-deflate; x=1, permessage-deflate; client_no_context_takeover", 1, true},
        {"permessage-deflate; server_max_window_bits=10, permessage-deflate", 1, false},
        {"permessage-deflate, permessage-deflate", 1, false},
        {"permessage-deflate, permessage-deflate; client_no_context_takeover", 1, true},
        {"permessage-deflate, permessage-deflate; x", -1, false},
        {"permessage-deflate; client_max_window_bits, permessage-deflate", 0, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pmd_offer o = {-2, false};
        bool taken = pmd_choose(cases[i].header, &o);
        if (taken != (cases[i].index >= 0))
            fail_msg("%s: %s", cases[i].header, taken ? "taken" : "declined");
        if (taken &&
            (o.index != cases[i].index || o.client_no_takeover != cases[i].client_no_takeover))
            fail_msg("%s: offer %d", cases[i].header, o.index);
    }
}

/* A sender: one deflate stream, or a new one for each message. */
static void compress_message(z_stream *z, const char *p, size_t n, int flush, buf *out)
{
    size_t room = deflateBound(z, n) + 64;
    char *to = buf_reserve(out, room);
    z->next_in = (unsigned char *)(uintptr_t)p;
    z->avail_in = (unsigned)n;
    z->next_out = (unsigned char *)to;
    z->avail_out = (unsigned)room;
    deflate(z, flush);
    out->len += room - z->avail_out;
    if (flush == Z_SYNC_FLUSH)
        out->len -= 4;
}

static pmd_result inflate_in_steps(pmd_inflater *p, const buf *in, size_t step, buf *out,
                                   size_t max)
{
    pmd_result r = PMD_OK;
    size_t at = 0;
    do {
        size_t n = in->len - at < step ? in->len - at : step;
        r = pmd_inflate(p, in->data + at, n, at + n == in->len, out, max);
        at += n;
    } while (r == PMD_OK && at < in->len);
    return r;
}

static void must_come_back(bool takeover, int level, size_t step)
{
    char *text = calloc(1, 70000);
    pmd_inflater p = {.no_takeover = !takeover};
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, level, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
    /* Sizes around lws's and our own steps; 60,632 spaces once ended the process. */
    static const size_t sizes[] = {0, 1, 5, 1023, 1024, 1025, 4095, 4096, 4097, 60632, 70000, 3};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (size_t k = 0; k < sizes[i]; k++)
            text[k] = i % 2 ? ' ' : (char)('a' + k * k % 23);
        buf in = BUF_INIT, out = BUF_INIT;
        compress_message(&z, text, sizes[i], Z_SYNC_FLUSH, &in);
        if (!takeover)
            deflateReset(&z);
        assert_int_equal(inflate_in_steps(&p, &in, step, &out, sizes[i]), PMD_OK);
        assert_int_equal(out.len, sizes[i]);
        assert_memory_equal(out.data ? out.data : "", text, sizes[i]);
        assert_int_equal(p.running, takeover);
        buf_free(&in);
        buf_free(&out);
    }
    deflateEnd(&z);
    pmd_free(&p);
    free(text);
}

static void test_round_trip(void **state)
{
    (void)state;
    static const size_t steps[] = {1, 7, 1024, 1 << 20};
    for (int takeover = 0; takeover < 2; takeover++) {
        for (int level = 0; level <= 9; level += 3) {
            for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
                must_come_back(takeover, level, steps[i]);
        }
    }
}

static void test_bound(void **state)
{
    (void)state;
    size_t big = 50u << 20;
    char *text = calloc(1, big);
    buf in = BUF_INIT, out = BUF_INIT;
    z_stream z = {0};
    deflateInit2(&z, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
    compress_message(&z, text, big, Z_SYNC_FLUSH, &in);
    deflateEnd(&z);
    pmd_inflater p = {0};
    assert_int_equal(inflate_in_steps(&p, &in, 1 << 20, &out, 100000), PMD_TOO_BIG);
    assert_true(out.len <= 100001 && out.cap <= 262144);
    pmd_free(&p);
    buf_free(&in);
    buf_free(&out);
    /* One byte too many, and none at all. */
    for (size_t max = 0; max < 3; max++) {
        pmd_inflater q = {0};
        static const char three[] = "\x4a\x4c\x4a\x06\x00"; /* "abc" */
        assert_int_equal(pmd_inflate(&q, three, 5, true, &out, max), PMD_TOO_BIG);
        pmd_free(&q);
        buf_clear(&out);
    }
    buf_free(&out);
    free(text);
}

/* RFC 7692, 7.2.3: its examples, and others. */
static void test_forms(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        size_t n;
        const char *text; /* NULL: damaged */
    } cases[] = {
        {"\xf2\x48\xcd\xc9\xc9\x07\x00", 7, "Hello"},
        {"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", 11, "Hello"},
        {"\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 8, "Hello"}, /* a final block */
        {"\xf3\x48\xcd\xc9\xc9\x07\x00", 7, "Hello"},     /* with nothing behind it */
        {"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", 13, "Hello"},
        {"\xf3\x48\xcd\xc9\xc9\x07\x00\xf3\x48\xcd\xc9\xc9\x07\x00", 14, "HelloHello"},
        {"\x00", 1, ""},
        {"", 0, ""},
        {"\xff\xff\xff\xff", 4, NULL},
        {"\x07", 1, NULL},
        {"\xf2\x48\xcd\xc9", 4, NULL}, /* cut */
        {"\x00\x05\x00\xfa\xff\x48\x65", 7, NULL},
        {"\x01\x05\x00\xfb\xff\x48", 6, NULL},
        {"\x63\x18\xff\x00", 4, NULL}, /* a distance beyond the beginning */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t step = 1; step < 16; step += 14) {
            pmd_inflater p = {0};
            buf out = BUF_INIT, in = BUF_INIT;
            buf_add(&in, cases[i].in, cases[i].n);
            pmd_result r = inflate_in_steps(&p, &in, step, &out, 1000);
            if (r != (cases[i].text ? PMD_OK : PMD_BAD))
                fail_msg("case %zu: %d", i, (int)r);
            if (cases[i].text)
                assert_string_equal(buf_cstr(&out), cases[i].text);
            pmd_free(&p);
            buf_free(&in);
            buf_free(&out);
        }
    }
    /* The window goes on behind a final block. */
    pmd_inflater p = {0};
    buf out = BUF_INIT;
    assert_int_equal(pmd_inflate(&p, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 8, true, &out, 99),
                     PMD_OK);
    assert_int_equal(pmd_inflate(&p, "\xf2\x00\x11\x00\x00", 5, true, &out, 99), PMD_OK);
    assert_string_equal(buf_cstr(&out), "HelloHello");
    pmd_free(&p);
    buf_free(&out);
}

static void test_no_memory(void **state)
{
    (void)state;
    char text[9000] = "";
    buf in = BUF_INIT;
    z_stream z = {0};
    deflateInit2(&z, 1, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
    compress_message(&z, text, sizeof text, Z_SYNC_FLUSH, &in);
    deflateEnd(&z);
    pmd_result r = PMD_NO_MEMORY;
    for (unsigned long n = 1; r == PMD_NO_MEMORY; n++) {
        pmd_inflater p = {0};
        buf out = BUF_INIT;
        mem_fail_nth(n);
        r = inflate_in_steps(&p, &in, 5, &out, sizeof text);
        bool reached = mem_fail_nth(0) >= n;
        if (reached)
            assert_int_equal(r, PMD_NO_MEMORY);
        pmd_free(&p);
        buf_free(&out);
        assert_true(n < 100);
    }
    assert_int_equal(r, PMD_OK);
    buf_free(&in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_offers),    cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_bound),     cmocka_unit_test(test_forms),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
