/* Which of hundreds of marks stand in a text, in one pass. */

#ifndef FLOWDIAG_HELD_H
#define FLOWDIAG_HELD_H

#include <stddef.h>

enum { MAX_HELD = 1024 };

struct sought {
    const char *text;
    size_t size;
    int next; /* another one that begins alike, from 1 on; 0 is none */
};

/* Set `there` of each of up to MAX_HELD marks of a byte or more to whether it stands in the text; uses their `next`. */
void held(const char *text, size_t size, struct sought *marks, int count, char *there);

#endif
