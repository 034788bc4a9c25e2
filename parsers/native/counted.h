/* What a scan counted and what it left, before anything of it is a Python object. */

#ifndef FLOWDIAG_COUNTED_H
#define FLOWDIAG_COUNTED_H

#include "known.h"
#include "rows.h"

/* Of a line that is counted in a lane: its place, source, destination, port, the other port, kind, time. */
enum { LANED = PLACE + 6 };

/* Of one whose lane is known: its place, lane, time, the other port or -1, flags. */
enum { HIT = PLACE + 4 };

/* And of one that is known of other nodes: the same with its family as the kind, and where the node's name begins and
   its size. */
enum { AKIN = LANED + 2 };

/* Begin with `fresh`.  Offsets are from where the text begins. */
struct counted {
    int32_t *sources, *destinations, *ports, *kinds;
    int64_t *times;
    uint16_t *flags;
    Py_ssize_t taken, room;
    struct rows left, hits, laned, akin;
    struct rows answers; /* of DNS: time, seconds, where the name begins and its size, how many addresses, and theirs */
    int64_t first, last;
};

void fresh(struct counted *counted);
void freed(struct counted *counted);

/* What was done with a line: nothing for want of memory; it was put among those that are left; something of it is given
   by where it stands; all of it is in the columns. */
enum { NO_MEMORY = -1, LEFT, HANDED_OVER, COUNTED };

/* Count a line that has a newline, or put it among those that are left; `place` is what is said of where it stands.
   For the thread that teaches; any other asks between `begin_scanning` and `end_scanning`. */
int count_line(struct known *known, const char *begin, const char *end, int bare, const int64_t place[PLACE],
               struct counted *counted);

/* Put a line among those that are left: LEFT, or NO_MEMORY. */
int leave_line(const int64_t place[PLACE], struct counted *counted);

/* Count the lines of a text, in any thread; 0 where there is no memory.  Wants nothing of Python's. */
int count_lines(struct known *known, const char *text, Py_ssize_t size, int bare, struct counted *counted);

/* All of it as `scan` gives it. */
PyObject *told(const struct counted *counted, const char *text);

#endif
