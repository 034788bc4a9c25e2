/* flowdiag_native: counts records of Hubble exports that are like ones already read.

   A Scanner is taught by whoever reads records in full: what object at an address is which end, and what the rest of
   a line (see walk.h) comes to.  Lines all of which it was taught it takes; every other line it leaves.  It decides
   nothing by itself, so that with it and without it the same is counted. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdlib.h>
#include <string.h>

#include "known.h"
#include "marks.h"
#include "rows.h"

typedef struct {
    PyObject_HEAD
    struct known known;
} Scanner;

/* -- scan -------------------------------------------------------------------------------------------------------- */

/* And of one that is counted in a lane: source, destination, port, the other port, kind, time. */
enum { LANED = PLACE + 6 };

struct columns {
    int32_t *sources, *destinations, *ports, *kinds;
    int64_t *times;
    uint16_t *flags;
    PyObject *answers; /* of DNS: name, addresses, seconds, time */
    Py_ssize_t taken, room;
    struct rows left, laned;
    int64_t first, last;
};

static void freed(struct columns *c)
{
    free(c->sources);
    free(c->destinations);
    free(c->ports);
    free(c->kinds);
    free(c->times);
    free(c->flags);
    free(c->left.numbers);
    free(c->laned.numbers);
    Py_CLEAR(c->answers);
}

/* A column with room for so many; NULL, and the column as it was, where there is no memory. */
#define RESIZED(column, room) resized((void *)(column), sizeof *(column), (room))

static void *resized(void *column, size_t size, Py_ssize_t room)
{
    return realloc(column, size * (size_t)room);
}

static int room_for_one(struct columns *c)
{
    if (c->taken == c->room) {
        Py_ssize_t room = c->room ? c->room * 2 : 128;
        int32_t *sources = RESIZED(c->sources, room);
        c->sources = sources ? sources : c->sources;
        int32_t *destinations = RESIZED(c->destinations, room);
        c->destinations = destinations ? destinations : c->destinations;
        int32_t *ports = RESIZED(c->ports, room);
        c->ports = ports ? ports : c->ports;
        int32_t *kinds = RESIZED(c->kinds, room);
        c->kinds = kinds ? kinds : c->kinds;
        int64_t *times = RESIZED(c->times, room);
        c->times = times ? times : c->times;
        uint16_t *flags = RESIZED(c->flags, room);
        c->flags = flags ? flags : c->flags;
        if (!sources || !destinations || !ports || !kinds || !times || !flags)
            return 0;
        c->room = room;
    }
    return 1;
}

/* What `walk` asks, and what was found. */
struct asking {
    struct known *known;
    struct kind *kind;
};

static size_t asked_end(void *who, struct span ip, const char *at, size_t room, int *number)
{
    return find_end(((struct asking *)who)->known, ip, at, room, number);
}

static int asked_rest(void *who, struct line *line)
{
    struct asking *asking = who;
    asking->kind = find_kind(asking->known, line);
    return asking->kind != NULL;
}

/* Tell of the addresses of a name; 0 with an exception set. */
static int answered(PyObject *answers, const struct line *line)
{
    PyObject *ips = PyTuple_New(line->answer_count);
    for (int i = 0; ips && i < line->answer_count; i++) {
        PyObject *ip = PyUnicode_FromStringAndSize(line->answers[i].at, (Py_ssize_t)line->answers[i].size);
        if (!ip || PyTuple_SetItem(ips, i, ip) < 0)
            Py_CLEAR(ips);
    }
    if (!ips)
        return 0;
    PyObject *answer = Py_BuildValue("(s#NLL)", line->query.at, (Py_ssize_t)line->query.size, ips, (long long)line->ttl,
                                     (long long)line->time);
    int result = answer && PyList_Append(answers, answer) == 0;
    Py_XDECREF(answer);
    return result;
}

/* Count a line; 0 for one that has to be read in full, -1 with an exception set.  `place` is what is said of it. */
static int taken(struct known *known, const char *begin, const char *end, int bare, const int64_t place[PLACE],
                 struct columns *c)
{
    struct line line;
    struct asking asking = {known, NULL};
    if (!walk(begin, end, bare, asked_end, asked_rest, &asking, &line))
        return 0;
    int32_t source = line.source_number, destination = line.destination_number;
    if (source == UNKNOWN || destination == UNKNOWN || (source & destination & BARE_BIT))
        return 0;
    if (!asking.kind && !asked_rest(&asking, &line))
        return 0;
    struct kind *kind = asking.kind;
    source &= ~BARE_BIT;
    destination &= ~BARE_BIT;
    int32_t port = line.destination_port, other_port = line.source_port;
    if (kind->turned) {
        int32_t other = source;
        source = destination;
        destination = other;
        port = line.source_port;
        other_port = line.destination_port;
    }
    source = find_served(known, source, kind->source_service);
    destination = find_served(known, destination, kind->destination_service);
    if (source < 0 || destination < 0)
        return 0;
    if (line.answer_count && line.query.size && !answered(c->answers, &line))
        return -1;
    c->first = line.time < c->first ? line.time : c->first;
    c->last = line.time > c->last ? line.time : c->last;
    if (kind->number < 0) {
        int64_t *row = row_of(&c->laned, LANED);
        if (!row) {
            PyErr_NoMemory();
            return -1;
        }
        memcpy(row, place, PLACE * sizeof *place);
        const int64_t said[] = {source, destination, port, other_port, ~kind->number, line.time};
        memcpy(row + PLACE, said, sizeof said);
        return 1;
    }
    if (!room_for_one(c)) {
        PyErr_NoMemory();
        return -1;
    }
    c->sources[c->taken] = source;
    c->destinations[c->taken] = destination;
    c->ports[c->taken] = port ? port : -1;
    c->kinds[c->taken] = kind->number;
    c->times[c->taken] = line.time;
    c->flags[c->taken] = kind->flags;
    c->taken++;
    return 1;
}

/* A column that may have no room yet; of NULL None would be made. */
#define BYTES(column) ((column) ? (const char *)(column) : "")

PyDoc_STRVAR(scan_doc,
             "scan(data, start, stop, bare)\n"
             "-> (sources, destinations, ports, kinds, times, flags, laned, first, last, left, lines, end, answers)\n\n"
             "Take those lines of `data` that are all known, of the ones that begin from `start`, where a line begins,\n"
             "up to `stop`; `end` is where the next one begins.  Columns are bytes: of 32-bit numbers, times of 64 bits\n"
             "in nanoseconds, flags of 16.  `laned` has nine 64-bit numbers for each line whose kind was taught as a\n"
             "negative number: its place as in `left`, source, destination, port, the other port, the number's\n"
             "complement and the time; ports are 0 for none.  First and last are those of all times, 0 where there\n"
             "is none.  `left` holds three 64-bit numbers for each other line: where it begins, where it ends without\n"
             "its newline, and which line of `data` it is.  A last line without a newline is always left.\n"
             "`answers` has (name, addresses, seconds or -1, time) of each DNS answer taken.");

static PyObject *scan(PyObject *object, PyObject *args)
{
    Scanner *self = (Scanner *)object;
    PyObject *given;
    int bare;
    char *data;
    Py_ssize_t size, start, stop;
    if (!PyArg_ParseTuple(args, "Snnp", &given, &start, &stop, &bare) || PyBytes_AsStringAndSize(given, &data, &size) < 0)
        return NULL;
    struct columns c;
    memset(&c, 0, sizeof c);
    c.first = INT64_MAX;
    Py_ssize_t lines = 0;
    c.answers = PyList_New(0);
    if (!c.answers)
        return NULL;
    if (start < 0 || start > size)
        start = size;
    const char *at = data + start, *behind = data + size;
    for (; at < behind && at - data < stop; lines++) {
        const char *end = memchr(at, '\n', (size_t)(behind - at));
        const int64_t place[PLACE] = {at - data, (end ? end : behind) - data, lines};
        int result = end ? taken(&self->known, at, end, bare, place, &c) : 0;
        if (!result) {
            int64_t *row = row_of(&c.left, PLACE);
            if (row)
                memcpy(row, place, sizeof place);
            else {
                PyErr_NoMemory();
                result = -1;
            }
        }
        if (result < 0) {
            freed(&c);
            return NULL;
        }
        at = end ? end + 1 : behind;
    }
    PyObject *result = Py_BuildValue(
        "(y#y#y#y#y#y#y#LLy#nnO)", BYTES(c.sources), c.taken * 4, BYTES(c.destinations), c.taken * 4, BYTES(c.ports),
        c.taken * 4, BYTES(c.kinds), c.taken * 4, BYTES(c.times), c.taken * 8, BYTES(c.flags), c.taken * 2,
        BYTES(c.laned.numbers), c.laned.used * 8, (long long)(c.first == INT64_MAX ? 0 : c.first), (long long)c.last,
        BYTES(c.left.numbers), c.left.used * 8, lines, (Py_ssize_t)(at - data), c.answers);
    freed(&c);
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
    struct known *known = &((Scanner *)self)->known;
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
    if (!known->full && !find_end(known, ip, at, (size_t)size, &known_as) && learn_end(known, ip, end, &gone)) {
        Py_INCREF(object);
        Py_XDECREF((PyObject *)gone);
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(learn_doc,
             "learn(line, bare, time, source, destination, source_port, destination_port, kind, turned, flags,\n"
             "      source_service, destination_service) -> int\n\n"
             "Remember what a line came to that was read in full: 0.  -1 where it is of a form that is not taken, or\n"
             "where it was taken apart otherwise than by whoever read it, and 1, 2 or 3 where its source, its\n"
             "destination or both have not been met.  `source` and `destination` are the bytes of its ends.  Ports are\n"
             "0 for none; a negative kind is of lines that are given one by one, without flags; the services' numbers\n"
             "are of the ends as they stand after a reply was turned round, -1 for none.");

static PyObject *learn(PyObject *object, PyObject *args)
{
    Scanner *self = (Scanner *)object;
    PyObject *given, *source, *destination;
    int bare, source_port, destination_port, number, turned, flags, services[2];
    long long time;
    char *data;
    Py_ssize_t size;
    if (!PyArg_ParseTuple(args, "SpLOOiiipiii", &given, &bare, &time, &source, &destination, &source_port,
                          &destination_port, &number, &turned, &flags, &services[0], &services[1]) ||
        PyBytes_AsStringAndSize(given, &data, &size) < 0)
        return NULL;
    struct line line;
    struct known *known = &self->known;
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
    return PyLong_FromLong(learn_kind(known, &line, kind) ? 0 : -1);
}

PyDoc_STRVAR(serve_doc, "serve(number, service, result)\n\n"
                        "Remember the number of an end with a service beside it.");

static PyObject *serve(PyObject *object, PyObject *args)
{
    Scanner *self = (Scanner *)object;
    int number, service, result;
    if (!PyArg_ParseTuple(args, "iii", &number, &service, &result))
        return NULL;
    learn_served(&self->known, number, service, result);
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
    {"meet", meet, METH_VARARGS, meet_doc},
    {"learn", learn, METH_VARARGS, learn_doc},
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
        PyModule_AddIntConstant(made, "INTERFACE", 5) < 0) {
        Py_XDECREF(made);
        Py_XDECREF(type);
        return NULL;
    }
    Py_DECREF(type);
    return made;
}
