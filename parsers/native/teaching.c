/* How a scanner is taught, and what it says of a line that it lacks little of. */

#define PY_SSIZE_T_CLEAN
#include "scanner.h"

#include <string.h>

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

const char meet_doc[] = PyDoc_STR( "meet(address, object, number, bare)\n\n"
                       "Remember the number of the end whose object, as bytes, stands for an address; `bare` says that\n"
                       "nothing but the address is known of it.  The bytes are kept, not copied.");

PyObject *meet(PyObject *self, PyObject *args)
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
    if (!known->full && !find_end(address_of(known, ip), at, (size_t)size, &known_as) && learn_end(known, ip, end, &gone))
        Py_INCREF(object);
    end_teaching(&known->guard);
    Py_XDECREF((PyObject *)gone);
    Py_RETURN_NONE;
}

const char learn_doc[] = PyDoc_STR(
             "learn(line, bare, time, source, destination, source_port, destination_port, kind, turned, flags,\n"
             "      source_service, destination_service, family) -> int\n\n"
             "Remember what a line came to that was read in full: 0.  -1 where it is of a form that is not taken, or\n"
             "where it was taken apart otherwise than by whoever read it, and 1, 2 or 3 where its source, its\n"
             "destination or both have not been met.  `source` and `destination` are the bytes of its ends.  Ports are\n"
             "0 for none; a negative kind is of lines that are given one by one, without flags; the services' numbers\n"
             "are of the ends as they stand after a reply was turned round, -1 for none; lines like it of other nodes are\n"
             "of its `family`.");

PyObject *learn(PyObject *object, PyObject *args)
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
        flags < 0 || flags > 0xFFFF || !walk_known(known, data, data + size - 1, bare, &line) ||
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

/* Whether a line stands there, with its newline; 0 with an exception set. */
static int line_is_at(Py_ssize_t begin, Py_ssize_t end, const char *data, Py_ssize_t size)
{
    if (begin >= 0 && begin <= end && end < size && data[end] == '\n')
        return 1;
    PyErr_SetString(PyExc_ValueError, "a line is not where it is said to be");
    return 0;
}

const char adopt_doc[] = PyDoc_STR( "adopt(data, begin, end, bare, kind)\n\n"
                        "Have lines like this one of `akin` counted as of this kind, a number as for `learn`.");

PyObject *adopt(PyObject *object, PyObject *args)
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
    if (!line_is_at(begin, end, data, size))
        return NULL;
    if (!known->full && walk_known(known, data + begin, data + end, bare, &line) &&
        node_apart(&line, &apart, &node) && (family = find_kind(known, &apart))) {
        struct kind kind = *family;
        kind.number = number;
        begin_teaching(&known->guard);
        learn_kind(known, &line, kind);
        end_teaching(&known->guard);
    }
    Py_RETURN_NONE;
}

const char serve_doc[] = PyDoc_STR( "serve(number, service, result)\n\n"
                        "Remember the number of an end with a service beside it.");

PyObject *serve(PyObject *object, PyObject *args)
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


const char lane_doc[] = PyDoc_STR("lane(source, destination, port, kind, lane)\n\n"
                                  "Have records of `laned` with these numbers, the kind as it is there, given with their lane: as `hits`.");

PyObject *lane(PyObject *object, PyObject *args)
{
    struct known *known = known_of(object);
    struct lane one;
    if (!PyArg_ParseTuple(args, "iiiii", &one.source, &one.destination, &one.port, &one.kind, &one.number))
        return NULL;
    begin_teaching(&known->guard);
    learn_lane(known, one);
    end_teaching(&known->guard);
    Py_RETURN_NONE;
}

const char unmet_doc[] = PyDoc_STR(
    "unmet(data, begin, end, bare) -> (source, destination, turned, source_service, destination_service)\n\n"
    "What `meet` and `serve` are to be told before a line is taken; None where they are not all that it lacks.  Ends are\n"
    "as recorded: address, the object's bytes or None for one that has been met, and that one's number or -1.  The\n"
    "services' numbers are as for `learn`.");

PyObject *unmet(PyObject *object, PyObject *args)
{
    struct known *known = known_of(object);
    PyObject *given;
    Py_ssize_t begin, end, size;
    int bare;
    char *data;
    if (!PyArg_ParseTuple(args, "Snnp", &given, &begin, &end, &bare) || PyBytes_AsStringAndSize(given, &data, &size) < 0)
        return NULL;
    struct line line, apart;
    struct span node;
    struct kind *kind = NULL;
    /* A last line without a newline is never taken. */
    if (end == size)
        Py_RETURN_NONE;
    if (!line_is_at(begin, end, data, size))
        return NULL;
    if (walk_known(known, data + begin, data + end, bare, &line)) {
        kind = find_kind(known, &line);
        if (!kind && node_apart(&line, &apart, &node))
            kind = find_kind(known, &apart);
    }
    if (!kind)
        Py_RETURN_NONE;
    int32_t numbers[2] = {line.source_number, line.destination_number};
    struct span objects[2] = {line.source, line.destination};
    for (int i = 0; i < 2; i++)
        if (numbers[i] != UNKNOWN) {
            numbers[i] &= ~BARE_BIT;
            objects[i].at = NULL;
        }
    if (!objects[0].at && !objects[1].at) {
        /* Lines between two bare addresses are never taken. */
        int32_t first = find_served(known, numbers[kind->turned], kind->source_service),
                second = find_served(known, numbers[!kind->turned], kind->destination_service);
        if ((line.source_number & line.destination_number & BARE_BIT) || (first >= 0 && second >= 0))
            Py_RETURN_NONE;
    }
    return Py_BuildValue("((s#y#i)(s#y#i)iii)", line.source_ip.at, (Py_ssize_t)line.source_ip.size, objects[0].at,
                         (Py_ssize_t)objects[0].size, (int)numbers[0], line.destination_ip.at,
                         (Py_ssize_t)line.destination_ip.size, objects[1].at, (Py_ssize_t)objects[1].size,
                         (int)numbers[1], (int)kind->turned, (int)kind->source_service,
                         (int)kind->destination_service);
}
