/* A plain file whose lines are counted as they are read, of which only those are kept that somebody has to look at. */

#ifndef FLOWDIAG_READING_H
#define FLOWDIAG_READING_H

#include "bytes.h"
#include "counted.h"

struct reading;

/* Some lines of it.  Begin with `fresh(&stretch->counted)` and zeroes. */
struct stretch {
    struct counted counted; /* places are those in `text` */
    struct bytes text;      /* the lines of which something is given by where they stand */
    struct bytes numbers;   /* for each of them, 64 bits: how many lines of the stretch stand before it */
    int64_t next, newlines; /* where the line behind them begins, and how many there were before it */
    int bare;               /* as for `scan` */
    int over;               /* no more can be read so */
    int error;              /* an errno */
};

void stretch_freed(struct stretch *stretch);

/* Begin with a file at `start`, where a line begins, up to `end`, -1 for its own; NULL where it cannot be.  The file may
   be closed then. */
struct reading *reading_begun(int file, int64_t start, int64_t end);
void reading_ended(struct reading *reading);

/* Read and count lines of about `most` bytes, in any thread, but one at a time.  Wants nothing of Python's. */
void read_on(struct reading *reading, struct known *known, size_t most, struct stretch *stretch);

#endif
