/* Skimming: a file's lines are read and searched in blocks, and only those with a mark are handed to Python.

   What it cannot skim as plain lines (a NUL, a byte order mark, a line that is too long) it leaves where it stands:
   whoever reads on from there in Python deals with it. */

#define PY_SSIZE_T_CLEAN
#include "skim.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "block.h"
#include "bytes.h"
#include "marks.h"
#include "search.h"

#ifdef _WIN32 /* which reads from places in a file by other calls */

PyMethodDef skim_functions[] = {{NULL, NULL, 0, NULL}};

#else

#include <time.h>
#include <unistd.h>

enum {
    READ = 1 << 18,         /* bytes at a time: what a core's cache holds while it is searched */
    /* When it returns, so that whoever waits hears how far it is, and can be interrupted: */
    MOST_READ = 64 << 20,   /* bytes, some twenty milliseconds of what is in memory */
    MOST_MS = 100,          /* of a disk that is slow */
};

struct skimming {
    int file;
    int64_t at, end; /* where the line begins that is next, and where to stop; -1 for the end of the file */
    int64_t lines;   /* newlines before `at`, of those skimmed */
    const struct search *search;
    struct bytes data, numbers;
    int over; /* there is nothing more to skim */
    int error; /* an errno, ENOMEM where there is no memory */
};

/* Take the marked ones of some whole lines; 0 where there is no memory. */
static int take_lines(struct skimming *s, const char *begin, const char *stop, int *odd)
{
    const char *counted = begin;
    for (const char *at = begin; (at = found(at, stop, s->search)) != NULL;) {
        const char *start = at, *end = (const char *)memchr(at, '\n', (size_t)(stop - at)) + 1;
        while (start > counted && start[-1] != '\n')
            start--;
        s->lines += (int64_t)newlines(counted, start, odd);
        if (!put(&s->numbers, &s->lines, sizeof s->lines) || !put(&s->data, start, (size_t)(end - start)))
            return 0;
        s->lines += (int64_t)newlines(start, end, odd);
        at = counted = end;
    }
    s->lines += (int64_t)newlines(counted, stop, odd);
    return 1;
}

/* Whether a byte order mark stands there, or a NUL, of bytes of which one is a NUL or 0xef. */
static int is_for_python(const char *at, const char *end)
{
    if (memchr(at, 0, (size_t)(end - at)))
        return 1;
    while (at < end && (at = memchr(at, '\xef', (size_t)(end - at))) != NULL)
        if (end - ++at >= 2 && memcmp(at, "\xbb\xbf", 2) == 0)
            return 1;
    return 0;
}

static int64_t milliseconds(void)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void skim_blocks(struct skimming *s, size_t most)
{
    char *block = malloc(LONGEST + READ);
    if (!block) {
        s->error = ENOMEM;
        return;
    }
    size_t held = 0; /* bytes of a line whose end is not read yet */
    int64_t start = s->at, begun = milliseconds();
    while (!s->over && s->data.used < most && s->at - start < MOST_READ &&
           (s->at == start || milliseconds() - begun < MOST_MS)) {
        int64_t place = s->at + (int64_t)held;
        size_t wanted = wanted_at(place, s->end, READ);
        ssize_t got = wanted ? pread(s->file, block + held, wanted, place) : 0;
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            s->error = errno;
            break;
        }
        const char *stop = behind_lines(block + held, block + held + got);
        held += (size_t)got;
        /* Of lines in a block only the first can be too long: the others begin in what was just read. */
        const char *first = stop && held > LONGEST ? memchr(block, '\n', held) : stop;
        s->over = !got || (first ? first - block > LONGEST : held > LONGEST);
        if (s->over || !stop)
            continue;
        struct skimming before = *s;
        int odd = 0;
        if (!take_lines(s, block, stop, &odd)) {
            s->error = ENOMEM;
            break;
        }
        if (odd && is_for_python(block, stop)) {
            s->data.used = before.data.used;
            s->numbers.used = before.numbers.used;
            s->lines = before.lines;
            s->over = 1;
            continue;
        }
        size_t whole = (size_t)(stop - block);
        s->at += (int64_t)whole;
        held -= whole;
        memmove(block, stop, held);
    }
    free(block);
}

PyDoc_STRVAR(skim_doc,
             "skim(file, start, end, marks, most) -> (lines, numbers, place, newlines, over)\n\n"
             "Read a file by its descriptor from `start`, where a line begins, up to `end`, -1 for its own, until there\n"
             "are `most` bytes of lines that hold one of `marks` (as for `lines_with`), or some time has passed.\n"
             "`numbers` are 64-bit: how many lines stand before each in what was skimmed.  `place` is where the line\n"
             "begins that comes next, and `newlines` how many lines there were before it.  `over` says that no more can\n"
             "be skimmed: the end, a last line without a newline, or a line with a NUL, with a byte order mark or of\n"
             "more than a megabyte comes next.\n\n"
             "Raises OSError where the file cannot be read.");

static PyObject *skim(PyObject *self, PyObject *args)
{
    (void)self;
    int file;
    long long start, end;
    PyObject *names;
    Py_ssize_t most;
    struct search search;
    if (!PyArg_ParseTuple(args, "iLLO!n", &file, &start, &end, &PyTuple_Type, &names, &most) ||
        !marks_of(names, &search))
        return NULL;
    struct skimming s = {.file = file, .at = start, .end = end, .search = &search};
    PyThreadState *state = PyEval_SaveThread();
    skim_blocks(&s, most > 0 ? (size_t)most : 1);
    PyEval_RestoreThread(state);
    PyObject *result = NULL;
    if (s.error == ENOMEM)
        PyErr_NoMemory();
    else if (s.error) {
        errno = s.error;
        PyErr_SetFromErrno(PyExc_OSError);
    } else
        result = Py_BuildValue("(y#y#LLN)", s.data.at ? s.data.at : "", (Py_ssize_t)s.data.used,
                               s.numbers.at ? s.numbers.at : "", (Py_ssize_t)s.numbers.used, (long long)s.at,
                               (long long)s.lines, PyBool_FromLong(s.over));
    free(s.data.at);
    free(s.numbers.at);
    return result;
}

PyMethodDef skim_functions[] = {
    {"skim", skim, METH_VARARGS, skim_doc},
    {NULL, NULL, 0, NULL},
};

#endif
