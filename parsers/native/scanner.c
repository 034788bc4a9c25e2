/* flowdiag_native: counts records of Hubble exports that are like ones already read.

   A Scanner is taught by whoever reads records in full: what object at an address is which end, and what the rest of
   a line (see walk.h) comes to.  Lines all of which it was taught it takes; every other line it leaves.  It decides
   nothing by itself, so that with it and without it the same is counted. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdlib.h>
#include <string.h>

#include "ahead.h"
#include "marks.h"

typedef struct {
    PyObject_HEAD
    struct known known;
    struct ahead *ahead;
} Scanner;

/* What it knows, for whoever takes turns with its thread. */
static struct known *known_of(PyObject *object)
{
    Scanner *self = (Scanner *)object;
    if (ahead_is_elsewhere(self->ahead))
        let_go(&self->known.guard);
    return &self->known;
}

/* -- scan -------------------------------------------------------------------------------------------------------- */

PyDoc_STRVAR(scan_doc,
             "scan(data, bare)\n"
             "-> (sources, destinations, ports, kinds, times, flags, laned, akin, first, last, left, answers)\n\n"
             "Take those lines of `data` that are all known.  Columns are bytes: of 32-bit numbers, times of 64 bits\n"
             "in nanoseconds, flags of 16.  `laned` has nine 64-bit numbers for each line whose kind was taught as a\n"
             "negative number: its place as in `left`, source, destination, port, the other port, the number's\n"
             "complement and the time; ports are 0 for none.  `akin` has eleven for each line that is like a taught\n"
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
        int taken = 0;
        while (row < rows && taken >= 0 && most > 0) {
            memcpy(place, (const char *)places.buf + row++ * (Py_ssize_t)sizeof place, sizeof place);
            int64_t begin = place[0], end = place[1];
            if (begin < 0 || begin > end || end > size) {
                PyErr_SetString(PyExc_ValueError, "a line is not where it is said to be");
                taken = -1;
            } else if (end < size && data[end] == '\n')
                taken = count_line(&((Scanner *)object)->known, data, bare, place, &c);
            else
                /* A last line without a newline is left as it was. */
                taken = leave_line(place, &c) - 1;
            most -= taken == 0;
        }
        if (taken >= 0)
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
                         "and in a fork of the process that began it.");

static PyObject *finish(PyObject *object, PyObject *ignored)
{
    (void)ignored;
    struct job *job = ahead_first(((Scanner *)object)->ahead);
    if (!job)
        Py_RETURN_NONE;
    PyObject *result = job->out_of_memory ? PyErr_NoMemory() : told(&job->counted, job->text);
    job_freed(job);
    return result;
}

/* -- teaching ---------------------------------------------------------------------------------------------------- */

/* Whether this is what an object holds that has bytes; -1 with an exception set. */
static int same(struct span span, PyObject *object)
{
    Py_buffer view;
    if (PyObject_GetBuffer(object, &view, PyBUF_SIMPLE) < 0)
        return -1;
    int result = span.at && span.size == (size_t)view.len && memcmp(span.at, view.buf, span.size) == 0;
    PyBuffer_Release(&view);
    return result;
}

PyDoc_STRVAR(meet_doc, "meet(address, object, number, bare)\n\n"
                       "Remember the number of the end whose object, as bytes, stands for an address; `bare` says that\n"
                       "nothing but the address is known of it.  The bytes are kept, not copied.");

static PyObject *meet(PyObject *self, PyObject *args)
{
    struct known *known = known_of(self);
    PyObject *object;
    struct span ip;
    Py_ssize_t ip_size, size;
    char *at;
    int number, bare;
    if (!PyArg_ParseTuple(args, "s#Sip", &ip.at, &ip_size, &object, &number, &bare) ||
        PyBytes_AsStringAndSize(object, &at, &size) < 0)
        return NULL;
    ip.size = (size_t)ip_size;
    if (number < 0 || (number & BARE_BIT)) {
        PyErr_SetString(PyExc_ValueError, "an end's number is of 30 bits");
        return NULL;
    }
    void *gone = NULL;
    struct end end = {{at, (size_t)size}, object, number, bare};
    int known_as;
    begin_teaching(&known->guard);
    if (!known->full && !find_end(known, ip, at, (size_t)size, &known_as) && learn_end(known, ip, end, &gone))
        Py_INCREF(object);
    end_teaching(&known->guard);
    Py_XDECREF((PyObject *)gone);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(learn_doc,
             "learn(line, bare, time, source, destination, source_port, destination_port, kind, turned, flags,\n"
             "      source_service, destination_service, family) -> int\n\n"
             "Remember what a line came to that was read in full: 0.  -1 where it is of a form that is not taken, or\n"
             "where it was taken apart otherwise than by whoever read it, and 1, 2 or 3 where its source, its\n"
             "destination or both have not been met.  `source` and `destination` are the bytes of its ends.  Ports are\n"
             "0 for none; a negative kind is of lines that are given one by one, without flags; the services' numbers\n"
             "are of the ends as they stand after a reply was turned round, -1 for none; lines like it of other nodes are\n"
             "of its `family`.");

static PyObject *learn(PyObject *object, PyObject *args)
{
    PyObject *given, *source, *destination;
    int bare, source_port, destination_port, number, turned, flags, services[2], family;
    long long time;
    char *data;
    Py_ssize_t size;
    if (!PyArg_ParseTuple(args, "SpLOOiiipiiii", &given, &bare, &time, &source, &destination, &source_port,
                          &destination_port, &number, &turned, &flags, &services[0], &services[1],
                          &family) ||
        PyBytes_AsStringAndSize(given, &data, &size) < 0)
        return NULL;
    struct line line;
    struct known *known = known_of(object);
    if (known->full || !size || data[size - 1] != '\n' || memchr(data, '\n', (size_t)size) != data + size - 1 ||
        flags < 0 || flags > 0xFFFF || !walk(data, data + size - 1, bare, find_end, NULL, known, &line) ||
        line.time != time || line.source_port != source_port || line.destination_port != destination_port)
        return PyLong_FromLong(-1);
    int first = same(line.source, source), second = same(line.destination, destination);
    if (first < 0 || second < 0)
        return NULL;
    if (!first || !second)
        return PyLong_FromLong(-1);
    int unmet = (line.source_number == UNKNOWN) | (line.destination_number == UNKNOWN) << 1;
    if (unmet)
        return PyLong_FromLong(unmet);
    struct kind kind = {.number = number,
                        .source_service = services[0],
                        .destination_service = services[1],
                        .flags = (uint16_t)flags,
                        .turned = (uint8_t)turned};
    struct line apart;
    struct span node;
    int has_node = node_apart(&line, &apart, &node);
    begin_teaching(&known->guard);
    int learnt = learn_kind(known, &line, kind);
    kind.number = family;
    if (learnt && has_node)
        learn_kind(known, &apart, kind);
    end_teaching(&known->guard);
    return PyLong_FromLong(learnt ? 0 : -1);
}

PyDoc_STRVAR(adopt_doc, "adopt(data, begin, end, bare, kind)\n\n"
                        "Have lines like this one of `akin` counted as of this kind, a number as for `learn`.");

static PyObject *adopt(PyObject *object, PyObject *args)
{
    struct known *known = known_of(object);
    PyObject *given;
    Py_ssize_t begin, end, size;
    int bare, number;
    char *data;
    if (!PyArg_ParseTuple(args, "Snnpi", &given, &begin, &end, &bare, &number) ||
        PyBytes_AsStringAndSize(given, &data, &size) < 0)
        return NULL;
    struct line line, apart;
    struct span node;
    struct kind *family;
    if (begin < 0 || begin > end || end >= size || data[end] != '\n') {
        PyErr_SetString(PyExc_ValueError, "a line is not where it is said to be");
        return NULL;
    }
    if (!known->full && walk(data + begin, data + end, bare, find_end, NULL, known, &line) &&
        node_apart(&line, &apart, &node) && (family = find_kind(known, &apart))) {
        struct kind kind = *family;
        kind.number = number;
        begin_teaching(&known->guard);
        learn_kind(known, &line, kind);
        end_teaching(&known->guard);
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(serve_doc, "serve(number, service, result)\n\n"
                        "Remember the number of an end with a service beside it.");

static PyObject *serve(PyObject *object, PyObject *args)
{
    struct known *known = known_of(object);
    int number, service, result;
    if (!PyArg_ParseTuple(args, "iii", &number, &service, &result))
        return NULL;
    begin_teaching(&known->guard);
    learn_served(known, number, service, result);
    end_teaching(&known->guard);
    Py_RETURN_NONE;
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
    {"meet", meet, METH_VARARGS, meet_doc},
    {"learn", learn, METH_VARARGS, learn_doc},
    {"adopt", adopt, METH_VARARGS, adopt_doc},
    {"serve", serve, METH_VARARGS, serve_doc},
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
    .m_doc = "Counting Hubble records that are like ones already read, and looking for marked lines.",
    .m_size = -1,
    .m_methods = mark_functions,
};

PyMODINIT_FUNC PyInit_flowdiag_native(void)
{
    PyObject *made = PyModule_Create(&module);
    PyObject *type = PyType_FromSpec(&spec);
    /* The number of this interface: who imports another does without. */
    if (!made || !type || PyModule_AddObjectRef(made, "Scanner", type) < 0 ||
        PyModule_AddIntConstant(made, "INTERFACE", 8) < 0) {
        Py_XDECREF(made);
        Py_XDECREF(type);
        return NULL;
    }
    Py_DECREF(type);
    return made;
}
