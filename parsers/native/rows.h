/* Rows of numbers that grow: what is said of lines. */

#ifndef FLOWDIAG_ROWS_H
#define FLOWDIAG_ROWS_H

#include <Python.h>

#include <stdint.h>
#include <stdlib.h>

/* What is said of a line: where it begins, where it ends without its newline, and its number. */
enum { PLACE = 3 };

struct rows {
    int64_t *numbers;
    Py_ssize_t used, room;
};

/* Room for a row of so many numbers; NULL where there is no memory. */
static inline int64_t *row_of(struct rows *rows, Py_ssize_t width)
{
    if (rows->used + width > rows->room) {
        Py_ssize_t room = rows->room ? rows->room * 2 : 32 * width;
        int64_t *numbers = realloc(rows->numbers, sizeof *numbers * (size_t)room);
        if (!numbers)
            return NULL;
        rows->numbers = numbers;
        rows->room = room;
    }
    rows->used += width;
    return rows->numbers + rows->used - width;
}

#endif
