#include "daemon/etag.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

void etag_make(const void *bytes, size_t n, char out[ETAG_ROOM])
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    SHA256(bytes, n, digest);
    out[0] = '"';
    for (int i = 0; i < 16; i++)
        snprintf(out + 1 + 2 * i, 3, "%02x", digest[i]);
    out[33] = '"';
    out[34] = '\0';
}

bool etag_listed(const char *header, const char *etag, bool weak)
{
    size_t len = strlen(etag);
    while (header && *header) {
        header += strspn(header, " \t,");
        bool is_weak = strncmp(header, "W/", 2) == 0;
        const char *tag = header + 2 * is_weak;
        const char *end = *tag == '"' ? strchr(tag + 1, '"') : NULL;
        if (*header == '*')
            return true;
        if (!end)
            return false;
        if ((weak || !is_weak) && (size_t)(end + 1 - tag) == len && strncmp(tag, etag, len) == 0)
            return true;
        header = end + 1;
    }
    return false;
}
