/* The loop of flowdiag.parserkit.line_forms over records that are known, up to the first that is not: see there for
   what each piece is.  Whatever is unusual about a record ends it, and Python looks at that one. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "forms.h"

/* flowdiag.parserkit.line_form.GROUPS */
enum { SECOND, FRACTION, HEAD, MORE, LEFT, MIDDLE, RIGHT, WHAT, VERDICT, FLAGS, REST, OTHER, GROUPS };

/* flowdiag.parserkit.line_reading: BETWEEN, NO_TIME; flowdiag.parserkit.known_lines: PLAIN */
#define BETWEEN '\xff'
#define NO_TIME (-1)
#define PLAIN (-(INT64_C(1) << 32))
#define PARTS 9
#define USUAL_KEY 1024

/* Lists that records are appended to, in their order among the arguments. */
enum { ROWS, ATS, BITS, PLAINS, PLAIN_ATS, PLAIN_BITS, REFUSED, REFUSED_ATS, CLIENTS, REFUSED_BITS, PLACES, LISTS };

struct text {
    char *at;
    Py_ssize_t size;
};

struct given {
    PyObject *found, *seconds, *flags, *known, *times, *column_marks, *no_marks, *guessed, *heads;
    PyObject *lists[LISTS];
    int paired, more_lines;
};

/* What a call found: a record to look at, one that was counted, or an error. */
enum { UNKNOWN, COUNTED, FAILED };

static int text_of(PyObject *object, struct text *text)
{
    return PyBytes_AsStringAndSize(object, &text->at, &text->size) == 0;
}

static int is_clients(const struct text *port)
{
    return port->size == 5 && memcmp(port->at, "32768", 5) >= 0 && memcmp(port->at, "65535", 5) <= 0;
}

/* Up to `most` digits; whether it is no more and nothing else. */
static int digits(const struct text *text, int most, int64_t *number)
{
    int64_t sum = 0;
    if (text->size > most)
        return 0;
    for (Py_ssize_t i = 0; i < text->size; i++) {
        if (text->at[i] < '0' || text->at[i] > '9')
            return 0;
        sum = sum * 10 + (text->at[i] - '0');
    }
    *number = sum;
    return 1;
}

/* Nanoseconds of a record, and what its kind's key says of its time: borrowed. */
static int time_of(const struct given *given, const struct text *texts, PyObject *second, Py_ssize_t place, int64_t *at,
                   PyObject **marks)
{
    if (texts[SECOND].size) {
        PyObject *known = PyDict_GetItemWithError(given->seconds, second);
        int64_t fraction;
        if (!known)
            return PyErr_Occurred() ? FAILED : UNKNOWN;
        if (!digits(&texts[FRACTION], 9, &fraction))
            return UNKNOWN;
        for (Py_ssize_t i = texts[FRACTION].size; fraction && i < 9; i++)
            fraction *= 10;
        *at = PyLong_AsLongLong(PyTuple_GetItem(known, 0)) + fraction;
        *marks = PyTuple_GetItem(known, 1);
        return PyErr_Occurred() ? FAILED : COUNTED;
    }
    *at = NO_TIME;
    *marks = given->no_marks;
    if (given->times != Py_None) {
        PyObject *moment = PySequence_GetItem(given->times, place);
        if (!moment)
            return FAILED;
        if (moment != Py_None) {
            *at = PyLong_AsLongLong(moment);
            *marks = given->column_marks;
        }
        Py_DECREF(moment);
    }
    return PyErr_Occurred() ? FAILED : COUNTED;
}

/* Where a kind's records are counted: borrowed; NULL where it is not known, or with an error. */
static PyObject *kept_of(PyObject *known, const struct text *parts)
{
    char usual[USUAL_KEY], *key = usual, *at;
    Py_ssize_t size = PARTS - 1;
    for (int i = 0; i < PARTS; i++)
        size += parts[i].size;
    if (size > USUAL_KEY && !(key = malloc((size_t)size))) {
        PyErr_NoMemory();
        return NULL;
    }
    at = key;
    for (int i = 0; i < PARTS; i++) {
        memcpy(at, parts[i].at, (size_t)parts[i].size);
        at += parts[i].size;
        if (i < PARTS - 1)
            *at++ = BETWEEN;
    }
    PyObject *text = PyBytes_FromStringAndSize(key, size);
    if (key != usual)
        free(key);
    PyObject *kept = text ? PyDict_GetItemWithError(known, text) : NULL;
    Py_XDECREF(text);
    return kept;
}

static int append_number(PyObject *list, int64_t number)
{
    PyObject *made = PyLong_FromLongLong(number);
    int failed = !made || PyList_Append(list, made) < 0;
    Py_XDECREF(made);
    return failed;
}

static int count(const struct given *given, PyObject *record, Py_ssize_t place, Py_ssize_t *index, PyObject **inferred)
{
    struct text texts[GROUPS];
    PyObject *pieces[GROUPS];
    for (int i = 0; i < GROUPS; i++) {
        pieces[i] = PyTuple_GetItem(record, i);
        if (!pieces[i] || !text_of(pieces[i], &texts[i]))
            return FAILED;
    }
    int by_left = is_clients(&texts[LEFT]);
    if (!texts[HEAD].size || by_left == is_clients(&texts[RIGHT]))
        return UNKNOWN;
    int64_t at;
    PyObject *marks, *words;
    int state = time_of(given, texts, pieces[SECOND], place, &at, &marks);
    if (state != COUNTED)
        return state;
    words = PyDict_GetItemWithError(given->flags, pieces[FLAGS]);
    if (!words)
        return PyErr_Occurred() ? FAILED : UNKNOWN;
    PyObject *bits = PyTuple_GetItem(words, 0), *handshake = PyTuple_GetItem(words, 1);
    PyObject *mark = PyTuple_GetItem(marks, by_left);
    struct text parts[PARTS] = {texts[HEAD],    texts[MORE], texts[MIDDLE],
                                texts[WHAT],    texts[VERDICT], texts[REST],
                                texts[by_left ? RIGHT : LEFT]};
    if (!bits || !handshake || !mark || !text_of(handshake, &parts[7]) || !text_of(mark, &parts[8]))
        return FAILED;
    PyObject *kept = kept_of(given->known, parts);
    if (!kept)
        return PyErr_Occurred() ? FAILED : UNKNOWN;
    int64_t number = PyLong_AsLongLong(kept), client = -1;
    const struct text *port = &texts[by_left ? LEFT : RIGHT];
    if (number == -1 && PyErr_Occurred())
        return FAILED;
    if (port->size && !digits(port, 5, &client))
        return UNKNOWN;
    PyObject *const *lists = given->lists;
    int failed;
    if (number >= 0)
        failed = PyList_Append(lists[ROWS], kept) < 0 || append_number(lists[ATS], at) ||
                 PyList_Append(lists[BITS], bits) < 0;
    else if (number < PLAIN)
        failed = append_number(lists[PLAINS], PLAIN - 1 - number) || append_number(lists[PLAIN_ATS], at) ||
                 PyList_Append(lists[PLAIN_BITS], bits) < 0;
    else {
        failed = append_number(lists[REFUSED], ~number) || append_number(lists[REFUSED_ATS], at) ||
                 append_number(lists[CLIENTS], client) || PyList_Append(lists[REFUSED_BITS], bits) < 0 ||
                 append_number(lists[PLACES], place);
        if (!failed && given->more_lines) {
            PyObject *key = PyLong_FromSsize_t(place);
            failed = !key || PyDict_SetItem(given->heads, key, pieces[HEAD]) < 0;
            Py_XDECREF(key);
        }
    }
    if (failed)
        return FAILED;
    if (marks == given->guessed)
        *inferred = Py_True;
    if (given->more_lines) {
        *index += 1 + given->more_lines;
        for (Py_ssize_t i = 0; i < texts[HEAD].size; i++)
            *index += texts[HEAD].at[i] == '\n';
    }
    return COUNTED;
}

PyDoc_STRVAR(count_known_doc,
             "count_known(given, position, index) -> (position, index, year_inferred)\n\n"
             "Count records from `position` on up to one that is not known, whose position is given back, and the index of\n"
             "its line where records have several.  `given`: the records, or pairs of a line's index and one; whether they\n"
             "are pairs; lines of a record but one; dicts of seconds, flags and known kinds; times around the lines or\n"
             "None; three pairs of marks; a dict of heads; the lists that numbers are appended to.");

static PyObject *count_known(PyObject *self, PyObject *args)
{
    (void)self;
    struct given given;
    PyObject *all, *lists;
    Py_ssize_t position, index;
    if (!PyArg_ParseTuple(args, "O!nn", &PyTuple_Type, &all, &position, &index) ||
        !PyArg_ParseTuple(all, "O!piO!O!O!OO!O!O!O!O!", &PyList_Type, &given.found, &given.paired, &given.more_lines,
                          &PyDict_Type, &given.seconds, &PyDict_Type, &given.flags, &PyDict_Type, &given.known,
                          &given.times, &PyTuple_Type, &given.column_marks, &PyTuple_Type, &given.no_marks,
                          &PyTuple_Type, &given.guessed, &PyDict_Type, &given.heads, &PyTuple_Type, &lists))
        return NULL;
    for (int i = 0; i < LISTS; i++) {
        given.lists[i] = PyTuple_GetItem(lists, i);
        if (!given.lists[i])
            return NULL;
    }
    PyObject *inferred = Py_False;
    Py_ssize_t size = PyList_Size(given.found);
    for (; position < size; position++) {
        PyObject *record = PyList_GetItem(given.found, position);
        Py_ssize_t place = given.more_lines ? index : position;
        if (record && given.paired) {
            place = PyLong_AsSsize_t(PyTuple_GetItem(record, 0));
            record = PyTuple_GetItem(record, 1);
        }
        int state = !record || PyErr_Occurred() ? FAILED : count(&given, record, place, &index, &inferred);
        if (state == FAILED)
            return NULL;
        if (state == UNKNOWN)
            break;
    }
    return Py_BuildValue("nnO", position, index, inferred);
}

PyMethodDef form_functions[] = {
    {"count_known", count_known, METH_VARARGS, count_known_doc},
    {NULL, NULL, 0, NULL},
};
