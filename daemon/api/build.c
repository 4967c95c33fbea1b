/* GET /server/build: how the daemon was built, and what it runs with. */
#include <jansson.h>
#include <openssl/crypto.h>
#include <string.h>
#include <uv.h>
#include <zlib.h>

#include "daemon/api/api.h"

/* Given by the Makefile to this file alone. */
#ifndef RUSTYDB_CFLAGS
#define RUSTYDB_CFLAGS  ""
#define RUSTYDB_LDFLAGS ""
#endif

#if defined(__x86_64__)
#define ARCHITECTURE "x86_64"
#elif defined(__aarch64__)
#define ARCHITECTURE "aarch64"
#else
#define ARCHITECTURE "other"
#endif

#ifdef __clang__
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

#define TEXT_OF(n)  #n
#define TEXT(n)     TEXT_OF(n)
#define UV_COMPILED TEXT(UV_VERSION_MAJOR) "." TEXT(UV_VERSION_MINOR) "." TEXT(UV_VERSION_PATCH)

static void put_hardening(json_writer *w)
{
    bool protector = false, pie = false, fortified = false, cet = false, address = false,
         thread = false;
#if defined(__SSP_STRONG__) || defined(__SSP_ALL__)
    protector = true;
#endif
#ifdef __PIE__
    pie = true;
#endif
#if defined(_FORTIFY_SOURCE) && _FORTIFY_SOURCE > 0
    fortified = true;
#endif
#ifdef __CET__
    cet = true;
#endif
#ifdef __SANITIZE_ADDRESS__
    address = true;
#endif
#ifdef __SANITIZE_THREAD__
    thread = true;
#endif
    jw_key(w, "hardening");
    jw_begin_object(w);
    jw_key_bool(w, "stack_protector", protector);
    jw_key_bool(w, "position_independent", pie);
    jw_key_bool(w, "fortify_source", fortified);
    jw_key_bool(w, "control_flow_protection", cet);
    jw_key_bool(w, "read_only_relocations", strstr(RUSTYDB_LDFLAGS, "relro") != NULL);
    jw_key_bool(w, "immediate_binding", strstr(RUSTYDB_LDFLAGS, "-z,now") != NULL);
    jw_end_object(w);
    jw_key(w, "sanitizers");
    jw_begin_array(w);
    if (address)
        jw_str(w, "address");
    if (thread)
        jw_str(w, "thread");
    jw_end_array(w);
}

static void put_libraries(json_writer *w)
{
    const struct {
        const char *name, *compiled, *running;
    } all[] = {
        {"libwebsockets", LWS_LIBRARY_VERSION, lws_get_library_version()},
        {"libuv", UV_COMPILED, uv_version_string()},
        {"openssl", OPENSSL_VERSION_TEXT, OpenSSL_version(OPENSSL_VERSION)},
        {"jansson", JANSSON_VERSION, jansson_version_str()},
        {"zlib", ZLIB_VERSION, zlibVersion()},
    };
    jw_key(w, "libraries");
    jw_begin_array(w);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        jw_begin_object(w);
        jw_key_str(w, "name", all[i].name);
        jw_key_str(w, "compiled", all[i].compiled);
        jw_key_str(w, "running", all[i].running);
        jw_end_object(w);
    }
    jw_end_array(w);
}

void api_get_build(request *q)
{
    buf out;
    json_writer w;
    http_begin_json(&w, &out);
    jw_key_str(&w, "version", RUSTYDB_VERSION);
    jw_key_str(&w, "compiler", COMPILER);
    jw_key_str(&w, "architecture", ARCHITECTURE);
    jw_key(&w, "c_standard");
    jw_int(&w, __STDC_VERSION__);
    jw_key_str(&w, "compile_flags", RUSTYDB_CFLAGS);
    jw_key_str(&w, "link_flags", RUSTYDB_LDFLAGS);
#ifdef __OPTIMIZE__
    jw_key_bool(&w, "optimised", true);
#else
    jw_key_bool(&w, "optimised", false);
#endif
    put_hardening(&w);
    jw_key_str(&w, "engine", engine_version(q->c->r->d->engine));
    put_libraries(&w);
    http_end_json(q, 200, &w);
}
