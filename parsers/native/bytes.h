/* Bytes that grow. */

#ifndef FLOWDIAG_BYTES_H
#define FLOWDIAG_BYTES_H

#include <stdlib.h>
#include <string.h>

/* Begin with all zeroes; `at` is to be freed. */
struct bytes {
    char *at;
    size_t used, room;
};

/* Put some behind them; 0 where there is no memory. */
static inline int put(struct bytes *bytes, const void *data, size_t size)
{
    if (bytes->used + size > bytes->room) {
        size_t room = 2 * (bytes->used + size);
        char *at = realloc(bytes->at, room);
        if (!at)
            return 0;
        bytes->at = at;
        bytes->room = room;
    }
    memcpy(bytes->at + bytes->used, data, size);
    bytes->used += size;
    return 1;
}

#endif
