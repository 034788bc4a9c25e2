/* Lines that hold one of a few marks: words that all lines of interest hold, and few others. */

#ifndef FLOWDIAG_SEARCH_H
#define FLOWDIAG_SEARCH_H

#include <stddef.h>

enum { MAX_MARKS = 32, MAX_MARK = 256 };

struct mark {
    const char *text;
    size_t size;
    size_t places[2]; /* of its rarest letter and one beside it */
};

/* `size` is from 1 to MAX_MARK. */
void prepared(struct mark *mark, const char *text, size_t size);

/* Where the first of the marks begins in [at, end); NULL for nowhere.  `longest` is the size of the longest. */
const char *found(const char *at, const char *end, const struct mark *marks, int count, size_t longest);

size_t newlines(const char *at, const char *end);

#endif
