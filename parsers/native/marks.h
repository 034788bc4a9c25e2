/* What the module offers beside the scanner: lines by marks, marks that stand in a text, and newlines. */

#ifndef FLOWDIAG_MARKS_H
#define FLOWDIAG_MARKS_H

#include <Python.h>

#include "search.h"

/* Look for a tuple of bytes objects, which must stay; 0 with an exception set where they are none, too many or too long. */
int marks_of(PyObject *names, struct search *search);

extern PyMethodDef mark_functions[];

#endif
