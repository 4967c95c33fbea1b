/* Throws files at the record of running daemons, in a folder of its own and with the lock that
 * makes a record a live one. Whatever is taken is a loopback address, and all its texts end. */
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/runtime.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[] = "/tmp/rustydb-fuzz-XXXXXX", inner[64], path[80];
static int file = -1;

static void clean(void)
{
    unlink(path);
    rmdir(inner);
    rmdir(folder);
}

static void open_file(void)
{
    if (!mkdtemp(folder) || setenv("XDG_RUNTIME_DIR", folder, 1) != 0)
        abort();
    snprintf(inner, sizeof inner, "%s/rustydb", folder);
    snprintf(path, sizeof path, "%s/a.json", inner);
    if (mkdir(inner, 0700) != 0)
        abort();
    file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0 || flock(file, LOCK_EX) != 0)
        abort();
    atexit(clean);
}

static bool ends(const char *text, size_t room)
{
    return memchr(text, '\0', room) != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static runtime_record r;
    if (file < 0)
        open_file();
    if (ftruncate(file, 0) != 0 || pwrite(file, data, size, 0) != (ssize_t)size)
        abort();
    memset(&r, 'x', sizeof r);
    if (runtime_list(&r, 1) < 1)
        return 0;
    if (!ends(r.url, sizeof r.url) || !ends(r.data_dir, sizeof r.data_dir) ||
        !ends(r.token_file, sizeof r.token_file) || !ends(r.tls_pin, sizeof r.tls_pin) ||
        !ends(r.started_at, sizeof r.started_at) || !address_is_loopback(r.at.host) || r.pid < 1)
        abort();
    return 0;
}
