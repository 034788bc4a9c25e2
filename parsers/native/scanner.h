/* The scanner as Python sees it: what it knows, its thread, and how it is taught. */

#ifndef FLOWDIAG_SCANNER_H
#define FLOWDIAG_SCANNER_H

#include <Python.h>

#include "ahead.h"

typedef struct {
    PyObject_HEAD
    struct known known;
    struct ahead *ahead;
    struct reading *reading; /* a file that its thread reads; NULL for none */
} Scanner;

/* What it knows, for whoever takes turns with its thread. */
static inline struct known *known_of(PyObject *object)
{
    Scanner *self = (Scanner *)object;
    if (ahead_is_elsewhere(self->ahead))
        let_go(&self->known.guard);
    return &self->known;
}

/* Methods; see their docstrings. */
PyObject *meet(PyObject *object, PyObject *args);
PyObject *learn(PyObject *object, PyObject *args);
PyObject *adopt(PyObject *object, PyObject *args);
PyObject *serve(PyObject *object, PyObject *args);
PyObject *lane(PyObject *object, PyObject *args);
PyObject *unmet(PyObject *object, PyObject *args);

extern const char meet_doc[], learn_doc[], adopt_doc[], serve_doc[], lane_doc[], unmet_doc[];

#endif
