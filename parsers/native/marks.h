/* What the module offers beside the scanner: lines by marks, and newlines. */

#ifndef FLOWDIAG_MARKS_H
#define FLOWDIAG_MARKS_H

#include <Python.h>

extern PyMethodDef mark_functions[];

#endif
