/* A block of a plain file as it is read, and searched or walked over. */

#ifndef FLOWDIAG_BLOCK_H
#define FLOWDIAG_BLOCK_H

#include <stddef.h>
#include <stdint.h>

enum { LONGEST = 1 << 20 }; /* bytes of a line that is taken, without its newline, as Python cuts longer ones */

/* How many bytes to read at a place, no more than `most`: none where the end is there, or before it; -1 for the file's. */
static inline size_t wanted_at(int64_t place, int64_t end, size_t most)
{
    if (end < 0 || end - place > (int64_t)most)
        return most;
    return end > place ? (size_t)(end - place) : 0;
}

/* Behind the last newline of some bytes; NULL where there is none. */
static inline const char *behind_lines(const char *begin, const char *end)
{
    for (; end > begin; end--)
        if (end[-1] == '\n')
            return end;
    return NULL;
}

#endif
