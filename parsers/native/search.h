/* Lines that hold one of a few marks: words that all lines of interest hold, and few others. */

#ifndef FLOWDIAG_SEARCH_H
#define FLOWDIAG_SEARCH_H

#include <stddef.h>
#include <stdint.h>

enum { MAX_MARKS = 32, MAX_MARK = 256 };

struct mark {
    const char *text;
    size_t size;
    size_t places[2]; /* of its rarest letter and of the one behind it, or the same twice */
};

/* Marks that are looked for; begin with all zeroes. */
struct search {
    struct mark marks[MAX_MARKS];
    int count;
    size_t longest; /* bytes of the longest */
    /* By the lower and by the upper half of a byte: the marks whose first or second of these letters it may be, a bit
       for each of eight groups of them. */
    uint8_t lower[2][16], upper[2][16];
};

/* Look for one more, of 1 to MAX_MARK bytes that stay where they are; no more than MAX_MARKS. */
void look_for(struct search *search, const char *text, size_t size);

/* Where one of the marks begins in [at, end), of those lines that hold one in the first; NULL for nowhere. */
const char *found(const char *at, const char *end, const struct search *search);

/* How many newlines there are.  Bytes of 0 and 0xef, of which text has few, set `odd` if there are any; it may be NULL. */
size_t newlines(const char *at, const char *end, int *odd);

#endif
