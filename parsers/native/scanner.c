/* flowdiag_native: counts records of Hubble exports that are like ones already read.

   A Scanner is taught by whoever reads records in full: what object at an address is which end, and what the rest of
   a line (see walk.h) comes to.  Lines all of which it was taught it takes; every other line it leaves.  It decides
   nothing by itself, so that with it and without it the same is counted. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "forms.h"
#include "marks.h"
#include "scanner.h"
#include "skim.h"

/* -- scan -------------------------------------------------------------------------------------------------------- */

PyDoc_STRVAR(scan_doc,
             "scan(data, bare)\n"
             "-> (sources, destinations, ports, kinds, times, flags, hits, laned, akin, first, last, left, answers)\n\n"
             "Take those lines of `data` that are all known.  Columns are bytes: of 32-bit numbers, times of 64 bits\n"
             "in nanoseconds, flags of 16.  `laned` has nine 64-bit numbers for each line whose kind was taught as a\n"
             "negative number: its place as in `left`, source, destination, port, the other port, the number's\n"
             "complement and the time; ports are 0 for none.  `hits` has seven for each such line whose `lane` was\n"
             "taught: its place, the lane, time, the other port or -1, and flags.  `akin` has eleven for each line that is like a taught\n"
             "one but for its node: the same with the family for the number, and where the node's name begins and its\n"
             "size.  `adopt` has it counted by its own number from then on.  First and last are those of all times, 0\n"
             "where there is none.  `left` holds three 64-bit numbers for each other line: where it begins, where it\n"
             "ends without its newline, and which line of `data` it is.  A last line without a newline is always left.\n"
             "`answers` has (name, addresses, seconds or -1, time) of each DNS answer taken.");

static PyObject *scan(PyObject *object, PyObject *args)
{
    PyObject *given;
    int bare;
    char *data;
    Py_ssize_t size;
    if (!PyArg_ParseTuple(args, "Sp", &given, &bare) || PyBytes_AsStringAndSize(given, &data, &size) < 0)
        return NULL;
    struct counted c;
    fresh(&c);
    int counted = count_lines(known_of(object), data, size, bare, &c);
    PyObject *result = counted ? told(&c, data) : PyErr_NoMemory();
    freed(&c);
    return result;
}

PyDoc_STRVAR(again_doc,
             "again(data, places, at, most, bare) -> (seen, as scan)\n\n"
             "Take those lines that are known by now of some that were left, until so many are left again.  `places` are\n"
             "rows of `left`, of which those from the row `at` on are looked at, and `seen` how many were.");

static PyObject *again(PyObject *object, PyObject *args)
{
    PyObject *given, *result = NULL;
    int bare;
    char *data;
    Py_ssize_t size, at, most;
    Py_buffer places;
    if (!PyArg_ParseTuple(args, "Sy*nnp", &given, &places, &at, &most, &bare))
        return NULL;
    struct counted c;
    fresh(&c);
    if (PyBytes_AsStringAndSize(given, &data, &size) == 0) {
        int64_t place[PLACE];
        Py_ssize_t rows = places.len / (Py_ssize_t)sizeof place, row = at < 0 ? rows : at;
        at = row;
        int taken = LEFT;
        while (row < rows && taken != NO_MEMORY && most > 0) {
            memcpy(place, (const char *)places.buf + row++ * (Py_ssize_t)sizeof place, sizeof place);
            int64_t begin = place[0], end = place[1];
            if (begin < 0 || begin > end || end > size) {
                PyErr_SetString(PyExc_ValueError, "a line is not where it is said to be");
                taken = NO_MEMORY;
            } else if (end < size && data[end] == '\n')
                taken = count_line(&((Scanner *)object)->known, data + begin, data + end, bare, place, &c);
            else
                /* A last line without a newline is left as it was. */
                taken = leave_line(place, &c);
            most -= taken == LEFT;
        }
        if (taken != NO_MEMORY)
            result = Py_BuildValue("(nN)", row - at, told(&c, data));
        else if (!PyErr_Occurred())
            PyErr_NoMemory();
    }
    freed(&c);
    PyBuffer_Release(&places);
    return result;
}

PyDoc_STRVAR(begin_doc, "begin(data, bare) -> bool\n\n"
                        "Have a thread scan all of `data` after what it was given before; `finish` says what it\n"
                        "took.  False where there is no thread, as in a fork of the process that has it.");

static PyObject *begin(PyObject *object, PyObject *args)
{
    Scanner *self = (Scanner *)object;
    PyObject *given;
    int bare;
    char *data;
    Py_ssize_t size;
    if (!PyArg_ParseTuple(args, "Sp", &given, &bare) || PyBytes_AsStringAndSize(given, &data, &size) < 0)
        return NULL;
    return PyBool_FromLong(ahead_begin(&self->ahead, &self->known, given, data, size, bare));
}

PyDoc_STRVAR(finish_doc, "finish() -> as scan\n\n"
                         "Wait for the first of what `begin` was given and was not asked for yet; None where there is none,\n"
                         "where it is of a file's, and in a fork of the process that began it.");

static PyObject *finish(PyObject *object, PyObject *ignored)
{
    (void)ignored;
    struct job *job = ahead_first(((Scanner *)object)->ahead);
    if (!job || job->reading) {
        if (job)
            job_freed(job);
        Py_RETURN_NONE;
    }
    PyObject *result = job->stretch.error ? PyErr_NoMemory() : told(&job->stretch.counted, job->text);
    job_freed(job);
    return result;
}

/* -- reading a file ---------------------------------------------------------------------------------------------- */

/* Let go of the file, and of what was not asked for. */
static void reading_closed(Scanner *self)
{
    for (struct job *job; self->reading && (job = ahead_first(self->ahead)) != NULL;)
        job_freed(job);
    reading_ended(self->reading);
    self->reading = NULL;
}

PyDoc_STRVAR(open_doc, "open(file, start, end)\n\n"
                       "Have lines of a file read from now on, by its descriptor, from `start`, where one begins, up to\n"
                       "`end`, -1 for its own.  What was begun before is let go of.\n\n"
                       "Raises OSError where there is no descriptor left, or no memory.");

static PyObject *open_file(PyObject *object, PyObject *args)
{
    Scanner *self = (Scanner *)object;
    int file;
    long long start, end;
    if (!PyArg_ParseTuple(args, "iLL", &file, &start, &end))
        return NULL;
    reading_closed(self);
    self->reading = reading_begun(file, start, end);
    if (!self->reading)
        return PyErr_SetFromErrno(PyExc_OSError);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(close_doc, "close()\n\nLet go of the file, and of all that was begun.");

static PyObject *close_file(PyObject *object, PyObject *ignored)
{
    (void)ignored;
    reading_closed((Scanner *)object);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(go_on_doc, "go_on(most) -> bool\n\n"
                        "Have the thread read and scan some `most` more bytes; `read` says what it took.  False where no file\n"
                        "is open, or there is no thread, as for `begin`.");

static PyObject *go_on(PyObject *object, PyObject *args)
{
    Scanner *self = (Scanner *)object;
    Py_ssize_t most;
    if (!PyArg_ParseTuple(args, "n", &most))
        return NULL;
    return PyBool_FromLong(self->reading && most > 0 &&
                           ahead_read(&self->ahead, &self->known, self->reading, (size_t)most));
}

PyDoc_STRVAR(is_ready_doc, "is_ready() -> bool\n\nWhether `read` would not have to wait.");

static PyObject *is_ready(PyObject *object, PyObject *ignored)
{
    (void)ignored;
    return PyBool_FromLong(ahead_is_ready(((Scanner *)object)->ahead));
}

PyDoc_STRVAR(read_doc, "read() -> (lines, numbers, place, newlines, bare, over, as scan)\n\n"
                       "Wait for the first of what `go_on` began; None where there is none, and in a fork of the process that\n"
                       "began it.  `lines` are those of which something is given by where they stand among them; `numbers` are\n"
                       "64-bit: how many lines stand before each in what was read.  `place` is where the line begins that\n"
                       "comes next, and `newlines` how many lines there were before it.  `bare` is how they were scanned.\n"
                       "`over` says that no more can be read so: the end, a last line without a newline, or a line that is not\n"
                       "known and has a NUL or a byte order mark, or is of more than a megabyte, comes next.\n\n"
                       "Raises OSError where the file cannot be read.");

static PyObject *read_file(PyObject *object, PyObject *ignored)
{
    (void)ignored;
    struct job *job;
    while ((job = ahead_first(((Scanner *)object)->ahead)) != NULL && !job->reading)
        job_freed(job); /* a text that was begun, and that nobody came to */
    if (!job)
        Py_RETURN_NONE;
    struct stretch *stretch = &job->stretch;
    const char *text = stretch->text.at ? stretch->text.at : "", *numbers = stretch->numbers.at ? stretch->numbers.at : "";
    PyObject *result = NULL;
    if (stretch->error == ENOMEM)
        PyErr_NoMemory();
    else if (stretch->error) {
        errno = stretch->error;
        PyErr_SetFromErrno(PyExc_OSError);
    } else
        result = Py_BuildValue("(y#y#LLNNN)", text, (Py_ssize_t)stretch->text.used, numbers,
                               (Py_ssize_t)stretch->numbers.used, (long long)stretch->next, (long long)stretch->newlines,
                               PyBool_FromLong(stretch->bare), PyBool_FromLong(stretch->over), told(&stretch->counted, text));
    job_freed(job);
    return result;
}

/* -- the type ---------------------------------------------------------------------------------------------------- */

static PyObject *scanner_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    const char *classes;
    Py_ssize_t size;
    unsigned long long seed;
    if (keywords && PyDict_Size(keywords) > 0) {
        PyErr_SetString(PyExc_TypeError, "Scanner takes no keyword arguments");
        return NULL;
    }
    if (!PyArg_ParseTuple(args, "y#K", &classes, &size, &seed))
        return NULL;
    if (size != 65536) {
        PyErr_SetString(PyExc_ValueError, "a class is wanted for each of 65,536 ports");
        return NULL;
    }
    allocfunc alloc = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    Scanner *self = (Scanner *)alloc(type, 0);
    if (self) {
        memcpy(self->known.port_class, classes, sizeof self->known.port_class);
        self->known.seed = seed;
    }
    return (PyObject *)self;
}

static void released(void *owner)
{
    Py_DECREF((PyObject *)owner);
}

static void scanner_dealloc(PyObject *object)
{
    Scanner *self = (Scanner *)object;
    PyTypeObject *type = Py_TYPE(object);
    ahead_ended(self->ahead);
    reading_ended(self->reading);
    forgotten(&self->known, released);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

static PyObject *is_full(PyObject *object, void *closure)
{
    (void)closure;
    return PyBool_FromLong(((Scanner *)object)->known.full);
}

static PyMethodDef methods[] = {
    {"scan", scan, METH_VARARGS, scan_doc},
    {"again", again, METH_VARARGS, again_doc},
    {"begin", begin, METH_VARARGS, begin_doc},
    {"finish", finish, METH_NOARGS, finish_doc},
    {"open", open_file, METH_VARARGS, open_doc},
    {"go_on", go_on, METH_VARARGS, go_on_doc},
    {"is_ready", is_ready, METH_NOARGS, is_ready_doc},
    {"read", read_file, METH_NOARGS, read_doc},
    {"close", close_file, METH_NOARGS, close_doc},
    {"meet", meet, METH_VARARGS, meet_doc},
    {"learn", learn, METH_VARARGS, learn_doc},
    {"adopt", adopt, METH_VARARGS, adopt_doc},
    {"serve", serve, METH_VARARGS, serve_doc},
    {"lane", lane, METH_VARARGS, lane_doc},
    {"unmet", unmet, METH_VARARGS, unmet_doc},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef properties[] = {
    {"is_full", is_full, NULL, "Whether there is no room for more: it is time to begin again.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "Scanner(port_classes, seed)\n\nSee the module.  `port_classes` has a byte for each port: ports of one "
                "class make the same of a record.  `seed` is any number nobody knows."},
    {Py_tp_new, scanner_new},
    {Py_tp_dealloc, scanner_dealloc},
    {Py_tp_methods, methods},
    {Py_tp_getset, properties},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "flowdiag_native.Scanner",
    .basicsize = sizeof(Scanner),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = slots,
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "flowdiag_native",
    .m_doc = "Counting records that are like ones already read, and looking for marked lines.",
    .m_size = -1,
    .m_methods = mark_functions,
};

PyMODINIT_FUNC PyInit_flowdiag_native(void)
{
    PyObject *made = PyModule_Create(&module);
    PyObject *type = PyType_FromSpec(&spec);
    /* The number of this interface: who imports another does without. */
    if (!made || !type || PyModule_AddObjectRef(made, "Scanner", type) < 0 ||
        PyModule_AddFunctions(made, form_functions) < 0 ||
        PyModule_AddFunctions(made, skim_functions) < 0 || PyModule_AddIntConstant(made, "INTERFACE", 14) < 0) {
        Py_XDECREF(made);
        Py_XDECREF(type);
        return NULL;
    }
    Py_DECREF(type);
    return made;
}
