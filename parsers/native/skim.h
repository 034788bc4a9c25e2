/* The lines of a file that hold one of a few marks, read and searched without Python's lock. */

#ifndef FLOWDIAG_SKIM_H
#define FLOWDIAG_SKIM_H

#include <Python.h>

extern PyMethodDef skim_functions[];

#endif
