/* A thread that counts texts, or reads a file and counts its lines, ahead of whoever reads what it leaves of them. */

#ifndef FLOWDIAG_AHEAD_H
#define FLOWDIAG_AHEAD_H

#include "reading.h"

/* A text that is being counted, or a stretch of a file. */
struct job {
    struct job *next;
    PyObject *given; /* whose text it is; NULL for a stretch */
    const char *text;
    Py_ssize_t size;         /* of a stretch: about how much to read */
    struct reading *reading; /* what it is a stretch of; NULL for a text */
    struct stretch stretch;  /* of a text `counted`, `bare` and `error` alone */
};

struct ahead;

/* Whether this is a fork of the process that has the thread. */
int ahead_is_elsewhere(const struct ahead *ahead);

/* Put a text behind those that are to be counted, and begin `*ahead` if there is none; 0 where it cannot be, for want of
   memory or of threads. */
int ahead_begin(struct ahead **ahead, struct known *known, PyObject *given, const char *text, Py_ssize_t size, int bare);

/* The same of a stretch of a file, which must stay until it is counted and let go of. */
int ahead_read(struct ahead **ahead, struct known *known, struct reading *reading, size_t most);

/* Whether `ahead_first` would not have to wait. */
int ahead_is_ready(struct ahead *ahead);

/* The first of them, counted, for the caller to let go of; NULL where there is none.  Waits for it without Python's
   lock. */
struct job *ahead_first(struct ahead *ahead);
void job_freed(struct job *job);

/* Stop, and let go of everything. */
void ahead_ended(struct ahead *ahead);

#endif
