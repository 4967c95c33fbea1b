/* Throws files at the settings. What is taken lies within its bounds; printed and read again it is
 * the same; what is refused is refused with the file and a line. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char path[64];
static int file = -1;

static void open_file(void)
{
    file = memfd_create("settings", MFD_CLOEXEC);
    if (file < 0)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
}

static void put(const void *p, size_t n)
{
    if (ftruncate(file, 0) != 0 || pwrite(file, p, n, 0) != (ssize_t)n)
        abort();
}

static void check_refusal(const error *e)
{
    if (e->code == ERR_INVALID_MESSAGE && strncmp(e->message, path, strlen(path)) != 0)
        abort();
    if (e->code != ERR_INVALID_MESSAGE && e->code != ERR_NOT_FOUND)
        abort();
}

static void check_bounds(const config *c)
{
    if (c->max_body < 1024 || c->max_body > 1 << 30 || c->readers < 1 || c->readers > 64 ||
        c->idle_timeout < 100 || !*c->data || !*c->listen)
        abort();
}

/* A ';' behind white space begins a comment in the file, so such texts cannot come back. */
static bool printable(const config *c)
{
    for (int i = 0; i < SETTING_COUNT; i++) {
        if (strchr(c->text[i], ';') || strlen(c->text[i]) > 80)
            return false;
    }
    return true;
}

static void must_read_back(const config *c)
{
    char *text;
    size_t n;
    FILE *out = open_memstream(&text, &n);
    if (!out)
        abort();
    config_print(c, out);
    fclose(out);
    put(text, n);
    error e;
    config *again = config_load(path, NULL, 0, &e);
    if (!again)
        abort();
    for (int i = 0; i < SETTING_COUNT; i++) {
        if (strcmp(again->text[i], c->text[i]) != 0)
            abort();
    }
    config_free(again);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (file < 0)
        open_file();
    put(data, size);
    error e;
    error_clear(&e);
    config *c = config_load(path, NULL, 0, &e);
    if (!c) {
        check_refusal(&e);
        return 0;
    }
    check_bounds(c);
    if (printable(c))
        must_read_back(c);
    config_free(c);
    return 0;
}
