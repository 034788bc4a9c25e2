/* Records of text whose kinds are known: counted without Python's loop. */

#ifndef FLOWDIAG_FORMS_H
#define FLOWDIAG_FORMS_H

#include <Python.h>

extern PyMethodDef form_functions[];

#endif
