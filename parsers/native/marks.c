/* Lines that hold one of a few marks, which of many stand in a text, and newlines, for Python; see search.h and held.h. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <string.h>

#include "held.h"
#include "marks.h"
#include "rows.h"
#include "search.h"

int marks_of(PyObject *names, struct search *search)
{
    Py_ssize_t count = PyTuple_Size(names);
    int fit = count <= MAX_MARKS;
    *search = (struct search){.count = 0};
    for (Py_ssize_t i = 0; fit && i < count; i++) {
        char *text;
        Py_ssize_t length;
        if (PyBytes_AsStringAndSize(PyTuple_GetItem(names, i), &text, &length) < 0)
            return 0;
        fit = length > 0 && length <= MAX_MARK;
        if (fit)
            look_for(search, text, (size_t)length);
    }
    if (!fit)
        PyErr_SetString(PyExc_ValueError, "up to 32 marks of 1 to 256 bytes are looked for");
    return fit;
}

PyDoc_STRVAR(lines_with_doc,
             "lines_with(data, marks) -> bytes\n\n"
             "Lines of `data` that hold one of `marks`, a tuple of up to 32 bytes objects of 1 to 256 bytes: three\n"
             "64-bit numbers for each, where it begins, where it ends with its newline, and which line it is from 0\n"
             "on.");

static PyObject *lines_with(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *given, *names;
    char *data;
    Py_ssize_t size;
    if (!PyArg_ParseTuple(args, "SO!", &given, &PyTuple_Type, &names) ||
        PyBytes_AsStringAndSize(given, &data, &size) < 0)
        return NULL;
    struct search search;
    if (!marks_of(names, &search))
        return NULL;
    struct rows rows = {NULL, 0, 0};
    int64_t line = 0;
    const char *stop = data + size, *counted = data;
    for (const char *at = data; (at = found(at, stop, &search)) != NULL;) {
        const char *begin = at, *end = memchr(at, '\n', (size_t)(stop - at));
        while (begin > counted && begin[-1] != '\n')
            begin--;
        end = end ? end + 1 : stop;
        line += (int64_t)newlines(counted, begin, NULL);
        int64_t *row = row_of(&rows, PLACE);
        if (!row) {
            free(rows.numbers);
            return PyErr_NoMemory();
        }
        row[0] = begin - data;
        row[1] = end - data;
        row[2] = line++;
        at = counted = end;
    }
    PyObject *result = PyBytes_FromStringAndSize((char *)rows.numbers, rows.used * 8);
    free(rows.numbers);
    return result;
}

PyDoc_STRVAR(held_doc, "held(data, marks) -> bytes\n\n"
                       "Which of `marks`, a tuple of up to 1024 bytes objects of a byte or more, stand in `data`: a byte\n"
                       "for each, 1 or 0.");

static PyObject *marks_held(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *given, *names;
    char *data;
    Py_ssize_t size;
    if (!PyArg_ParseTuple(args, "SO!", &given, &PyTuple_Type, &names) ||
        PyBytes_AsStringAndSize(given, &data, &size) < 0)
        return NULL;
    struct sought marks[MAX_HELD];
    char there[MAX_HELD];
    Py_ssize_t count = PyTuple_Size(names);
    int fit = count <= MAX_HELD;
    for (Py_ssize_t i = 0; fit && i < count; i++) {
        char *text;
        Py_ssize_t length;
        if (PyBytes_AsStringAndSize(PyTuple_GetItem(names, i), &text, &length) < 0)
            return NULL;
        marks[i] = (struct sought){text, (size_t)length, 0};
        fit = length > 0;
    }
    if (!fit) {
        PyErr_SetString(PyExc_ValueError, "up to 1024 marks of a byte or more are looked for");
        return NULL;
    }
    held(data, (size_t)size, marks, (int)count, there);
    return PyBytes_FromStringAndSize(there, count);
}

PyDoc_STRVAR(newlines_doc, "newlines(data, start, stop) -> int\n\n"
                           "How many newlines there are in a part of `data`.");

static PyObject *counted_newlines(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *given;
    char *data;
    Py_ssize_t size, start, stop;
    if (!PyArg_ParseTuple(args, "Snn", &given, &start, &stop) || PyBytes_AsStringAndSize(given, &data, &size) < 0)
        return NULL;
    stop = stop > size ? size : stop;
    start = start < 0 ? 0 : start;
    return PyLong_FromSize_t(start < stop ? newlines(data + start, data + stop, NULL) : 0);
}

PyMethodDef mark_functions[] = {
    {"held", marks_held, METH_VARARGS, held_doc},
    {"newlines", counted_newlines, METH_VARARGS, newlines_doc},
    {"lines_with", lines_with, METH_VARARGS, lines_with_doc},
    {NULL, NULL, 0, NULL},
};
