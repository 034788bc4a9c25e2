#define PY_SSIZE_T_CLEAN
#include "counted.h"

#include <string.h>

enum { ANSWER = 5 }; /* numbers of an answer before those of its addresses */

void fresh(struct counted *c)
{
    memset(c, 0, sizeof *c);
    c->first = INT64_MAX;
}

void freed(struct counted *c)
{
    free(c->sources);
    free(c->destinations);
    free(c->ports);
    free(c->kinds);
    free(c->times);
    free(c->flags);
    free(c->left.numbers);
    free(c->hits.numbers);
    free(c->laned.numbers);
    free(c->akin.numbers);
    free(c->answers.numbers);
}

/* A column with room for so many; NULL, and the column as it was, where there is no memory. */
#define RESIZED(column, room) resized((void *)(column), sizeof *(column), (room))

static void *resized(void *column, size_t size, Py_ssize_t room)
{
    return realloc(column, size * (size_t)room);
}

static int room_for_one(struct counted *c)
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
    struct span ips[2];
    struct address *addresses[2];
};

static void asked_both(void *who, struct span source, struct span destination)
{
    struct asking *asking = who;
    asking->ips[0] = source;
    asking->ips[1] = destination;
    addresses_of(asking->known, asking->ips, asking->addresses);
}

/* Of one of the two that were told last. */
static size_t asked_end(void *who, struct span ip, const char *at, size_t room, int *number)
{
    const struct asking *asking = who;
    return find_end(asking->addresses[ip.at != asking->ips[0].at], at, room, number);
}

static int asked_rest(void *who, struct line *line)
{
    struct asking *asking = who;
    asking->kind = find_kind(asking->known, line);
    return asking->kind != NULL;
}

/* `offset` is that of the line, which begins at `begin`. */
static int answered(struct rows *answers, const char *begin, int64_t offset, const struct line *line)
{
    int64_t *row = row_of(answers, ANSWER + 2 * line->answer_count);
    if (!row)
        return 0;
    const int64_t said[ANSWER] = {line->time, line->ttl, offset + (line->query.at - begin), (int64_t)line->query.size,
                                  line->answer_count};
    memcpy(row, said, sizeof said);
    for (int i = 0; i < line->answer_count; i++) {
        row[ANSWER + 2 * i] = offset + (line->answers[i].at - begin);
        row[ANSWER + 2 * i + 1] = (int64_t)line->answers[i].size;
    }
    return 1;
}

int leave_line(const int64_t place[PLACE], struct counted *c)
{
    int64_t *row = row_of(&c->left, PLACE);
    if (row)
        memcpy(row, place, PLACE * sizeof *place);
    return row ? LEFT : NO_MEMORY;
}

int count_line(struct known *known, const char *begin, const char *end, int bare, const int64_t place[PLACE],
               struct counted *c)
{
    struct line line;
    struct asking asking = {.known = known};
    const struct asked asked = {asked_end, asked_rest, asked_both, &asking};
    if (!walk(begin, end, bare, &asked, &line))
        return leave_line(place, c);
    int32_t source = line.source_number, destination = line.destination_number;
    if (source == UNKNOWN || destination == UNKNOWN || (source & destination & BARE_BIT))
        return leave_line(place, c);
    struct kind *kind = asking.kind || asked_rest(&asking, &line) ? asking.kind : NULL;
    struct span node = {NULL, 0};
    struct line apart;
    if (!kind && node_apart(&line, &apart, &node))
        kind = find_kind(known, &apart);
    else
        node.at = NULL;
    if (!kind)
        return leave_line(place, c);
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
        return leave_line(place, c);
    int said = line.answer_count && line.query.size;
    if (said && !answered(&c->answers, begin, place[0], &line))
        return NO_MEMORY;
    c->first = line.time < c->first ? line.time : c->first;
    c->last = line.time > c->last ? line.time : c->last;
    int32_t lane = kind->number < 0 && !node.at ? find_lane(known, source, destination, port, ~kind->number) : UNKNOWN;
    if (lane >= 0) {
        int64_t *row = row_of(&c->hits, HIT);
        if (!row)
            return NO_MEMORY;
        memcpy(row, place, PLACE * sizeof *place);
        const int64_t numbers[] = {lane, line.time, other_port ? other_port : -1, kind->flags};
        memcpy(row + PLACE, numbers, sizeof numbers);
        return HANDED_OVER;
    }
    if (kind->number < 0 || node.at) {
        int64_t *row = node.at ? row_of(&c->akin, AKIN) : row_of(&c->laned, LANED);
        if (!row)
            return NO_MEMORY;
        memcpy(row, place, PLACE * sizeof *place);
        const int64_t number = node.at ? kind->number : ~kind->number;
        const int64_t numbers[] = {source, destination, port, other_port, number, line.time};
        memcpy(row + PLACE, numbers, sizeof numbers);
        if (node.at) {
            row[LANED] = place[0] + (node.at - begin);
            row[LANED + 1] = (int64_t)node.size;
        }
        return HANDED_OVER;
    }
    if (!room_for_one(c))
        return NO_MEMORY;
    c->sources[c->taken] = source;
    c->destinations[c->taken] = destination;
    c->ports[c->taken] = port ? port : -1;
    c->kinds[c->taken] = kind->number;
    c->times[c->taken] = line.time;
    c->flags[c->taken] = kind->flags;
    c->taken++;
    return said ? HANDED_OVER : COUNTED;
}

int count_lines(struct known *known, const char *text, Py_ssize_t size, int bare, struct counted *c)
{
    int64_t lines = 0;
    for (const char *at = text, *behind = text + size; at < behind; lines++) {
        const char *newline = memchr(at, '\n', (size_t)(behind - at)), *end = newline ? newline : behind;
        const int64_t place[PLACE] = {at - text, end - text, lines};
        int result;
        if (newline) {
            begin_scanning(&known->guard);
            result = count_line(known, at, end, bare, place, c);
            end_scanning(&known->guard);
        } else
            result = leave_line(place, c);
        if (result == NO_MEMORY)
            return 0;
        at = newline ? newline + 1 : behind;
    }
    return 1;
}

/* The answers as a list; NULL with an exception set. */
static PyObject *answers_of(const struct rows *rows, const char *text)
{
    PyObject *answers = PyList_New(0);
    const int64_t *row = rows->numbers, *behind = row + rows->used;
    for (; answers && row < behind; row += ANSWER + 2 * row[4]) {
        PyObject *ips = PyTuple_New((Py_ssize_t)row[4]);
        for (int64_t i = 0; ips && i < row[4]; i++) {
            const int64_t *span = row + ANSWER + 2 * i;
            PyObject *ip = PyUnicode_FromStringAndSize(text + span[0], (Py_ssize_t)span[1]);
            if (!ip || PyTuple_SetItem(ips, (Py_ssize_t)i, ip) < 0)
                Py_CLEAR(ips);
        }
        PyObject *answer = ips ? Py_BuildValue("(s#NLL)", text + row[2], (Py_ssize_t)row[3], ips, (long long)row[1],
                                               (long long)row[0])
                               : NULL;
        if (!answer || PyList_Append(answers, answer) < 0)
            Py_CLEAR(answers);
        Py_XDECREF(answer);
    }
    return answers;
}

/* A column that may have no room yet; of NULL None would be made. */
#define BYTES(column) ((column) ? (const char *)(column) : "")

PyObject *told(const struct counted *c, const char *text)
{
    PyObject *answers = answers_of(&c->answers, text);
    if (!answers)
        return NULL;
    return Py_BuildValue("(y#y#y#y#y#y#y#y#y#LLy#N)", BYTES(c->sources), c->taken * 4, BYTES(c->destinations),
                         c->taken * 4, BYTES(c->ports), c->taken * 4, BYTES(c->kinds), c->taken * 4, BYTES(c->times),
                         c->taken * 8, BYTES(c->flags), c->taken * 2, BYTES(c->hits.numbers),
                         c->hits.used * 8, BYTES(c->laned.numbers), c->laned.used * 8,
                         BYTES(c->akin.numbers), c->akin.used * 8,
                         (long long)(c->first == INT64_MAX ? 0 : c->first), (long long)c->last,
                         BYTES(c->left.numbers), c->left.used * 8, answers);
}
