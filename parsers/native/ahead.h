/* A thread that counts texts ahead of whoever reads what it leaves of them. */

#ifndef FLOWDIAG_AHEAD_H
#define FLOWDIAG_AHEAD_H

#include "counted.h"

/* A text that is being counted. */
struct job {
    struct job *next;
    PyObject *given; /* whose text it is */
    const char *text;
    Py_ssize_t size;
    int bare;
    struct counted counted;
    int out_of_memory;
};

struct ahead;

/* Whether this is a fork of the process that has the thread. */
int ahead_is_elsewhere(const struct ahead *ahead);

/* Put a text behind those that are to be counted, and begin `*ahead` if there is none; 0 where it cannot be, for want of
   memory or of threads. */
int ahead_begin(struct ahead **ahead, struct known *known, PyObject *given, const char *text, Py_ssize_t size, int bare);

/* The first of them, counted, for the caller to let go of; NULL where there is none.  Waits for it without Python's
   lock. */
struct job *ahead_first(struct ahead *ahead);
void job_freed(struct job *job);

/* Stop, and let go of everything. */
void ahead_ended(struct ahead *ahead);

#endif
