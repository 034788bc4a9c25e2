/* flowdiag_native: counts records of Hubble exports that are like ones already read.

   A Scanner is taught by whoever reads records in full: what object at an address is which end, and what the rest of
   a line (see walk.h) comes to.  Lines all of which it was taught it takes; every other line it leaves.  It decides
   nothing by itself, so that with it and without it the same is counted. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdlib.h>
#include <string.h>

#include "walk.h"

enum {
    FORMS = 4,            /* objects kept per address: with and without what only its own node knows */
    MAX_PROBES = 32,      /* a table is not searched further, so that chosen names cost no more */
    MAX_BYTES = 24 << 20, /* of text */
    MAX_ENTRIES = 1 << 16,
};

struct text {
    uint32_t at, size;
};

struct form {
    struct text object;
    int32_t number;
    int32_t bare; /* nothing but the address is known of it */
};

struct address {
    uint64_t hash;
    struct text ip;
    struct form forms[FORMS];
    uint32_t count;
};

struct kind {
    uint64_t hash;
    struct text rest;
    int32_t number;
    int32_t source_service, destination_service; /* -1 for none */
    uint16_t flags;
    uint8_t turned;
    uint8_t ports[2]; /* their classes */
};

struct served {
    int32_t number, service, result;
};

/* Open addressing: a slot holds the place of an entry and one, 0 for none. */
struct table {
    uint32_t *slots;
    uint32_t mask, used;
};

typedef struct {
    PyObject_HEAD
    char *text;
    size_t text_size, text_room;
    struct address *addresses;
    struct kind *kinds;
    struct served *servings;
    uint32_t address_room, kind_room, serving_room;
    struct table by_ip, by_rest, by_service;
    uint8_t port_class[65536];
    uint64_t seed; /* nobody can choose names that stand in one another's way */
    int full;
} Scanner;

/* -- hashing ----------------------------------------------------------------------------------------------------- */

static uint64_t mixed(uint64_t hash, uint64_t more)
{
    hash = (hash ^ more) * UINT64_C(0x9E3779B97F4A7C15);
    return hash ^ (hash >> 29);
}

static uint64_t word_at(const char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

/* Four lanes at once: one waits for each multiplication. */
static uint64_t hashed(uint64_t hash, const char *at, size_t size)
{
    hash = mixed(hash, size);
    if (size >= 32) {
        uint64_t lanes[4] = {hash, hash + 1, hash + 2, hash + 3};
        for (; size >= 32; at += 32, size -= 32)
            for (int i = 0; i < 4; i++)
                lanes[i] = mixed(lanes[i], word_at(at + 8 * i));
        hash = mixed(mixed(mixed(lanes[0], lanes[1]), lanes[2]), lanes[3]);
    }
    for (; size >= 8; at += 8, size -= 8)
        hash = mixed(hash, word_at(at));
    if (size) {
        uint64_t word = 0;
        memcpy(&word, at, size);
        hash = mixed(hash, word);
    }
    return hash;
}

/* -- tables ------------------------------------------------------------------------------------------------------ */

static int table_grown(struct table *table, uint64_t (*hash_of)(Scanner *, uint32_t), Scanner *self)
{
    uint32_t size = table->slots ? (table->mask + 1) * 2 : 1024;
    uint32_t *slots = calloc(size, sizeof *slots);
    if (!slots)
        return 0;
    for (uint32_t entry = 0; entry < table->used; entry++) {
        uint32_t at = (uint32_t)hash_of(self, entry) & (size - 1);
        while (slots[at])
            at = (at + 1) & (size - 1);
        slots[at] = entry + 1;
    }
    free(table->slots);
    table->slots = slots;
    table->mask = size - 1;
    return 1;
}

static uint64_t address_hash(Scanner *self, uint32_t entry) { return self->addresses[entry].hash; }
static uint64_t kind_hash(Scanner *self, uint32_t entry) { return self->kinds[entry].hash; }
static uint64_t pair_hash(int32_t number, int32_t service)
{
    return mixed(mixed(0, (uint32_t)number), (uint32_t)service);
}
static uint64_t serving_hash(Scanner *self, uint32_t entry)
{
    return pair_hash(self->servings[entry].number, self->servings[entry].service);
}

/* Room for one entry more; 0 where there is none. */
static int grown(Scanner *self, struct table *table, void **entries, uint32_t *room, size_t size,
                 uint64_t (*hash_of)(Scanner *, uint32_t))
{
    if (table->used == MAX_ENTRIES) {
        self->full = 1;
        return 0;
    }
    if (table->used == *room) {
        uint32_t more = *room ? *room * 2 : 256;
        void *moved = realloc(*entries, more * size);
        if (!moved)
            return 0;
        *entries = moved;
        *room = more;
    }
    return (table->slots && table->used * 2 < table->mask) || table_grown(table, hash_of, self);
}

/* Put the newest entry into its table; an entry that would be searched for too long is not found again. */
static void placed(struct table *table, uint64_t hash)
{
    uint32_t at = (uint32_t)hash & table->mask;
    while (table->slots[at])
        at = (at + 1) & table->mask;
    table->slots[at] = ++table->used;
}

static int kept(Scanner *self, const char *at, size_t size, struct text *out)
{
    if (self->text_size + size > MAX_BYTES) {
        self->full = 1;
        return 0;
    }
    if (self->text_size + size > self->text_room) {
        size_t room = self->text_room ? self->text_room : 1 << 16;
        while (room < self->text_size + size)
            room += room / 2;
        char *moved = realloc(self->text, room);
        if (!moved)
            return 0;
        self->text = moved;
        self->text_room = room;
    }
    memcpy(self->text + self->text_size, at, size);
    out->at = (uint32_t)self->text_size;
    out->size = (uint32_t)size;
    self->text_size += size;
    return 1;
}

static struct address *address_of(Scanner *self, struct span ip)
{
    struct table *table = &self->by_ip;
    if (!table->slots)
        return NULL;
    uint64_t hash = hashed(self->seed, ip.at, ip.size);
    uint32_t at = (uint32_t)hash & table->mask;
    for (int probe = 0; probe < MAX_PROBES && table->slots[at]; probe++, at = (at + 1) & table->mask) {
        struct address *one = &self->addresses[table->slots[at] - 1];
        if (one->hash == hash && one->ip.size == ip.size && memcmp(self->text + one->ip.at, ip.at, ip.size) == 0)
            return one;
    }
    return NULL;
}

static uint64_t rest_hash(uint64_t seed, const struct line *line, const uint8_t ports[2])
{
    uint64_t hash = mixed(mixed(seed, ports[0]), ports[1]);
    for (int i = 0; i < line->count; i++)
        hash = mixed(hashed(hash, line->pieces[i].text.at, line->pieces[i].text.size), line->pieces[i].slot);
    return hash;
}

/* Pieces stand one behind the other, each with its slot in a byte behind it. */
static int same_rest(const char *at, size_t size, const struct line *line)
{
    const char *end = at + size;
    for (int i = 0; i < line->count; i++) {
        const struct piece *piece = &line->pieces[i];
        if ((size_t)(end - at) < piece->text.size + 1 || memcmp(at, piece->text.at, piece->text.size) != 0)
            return 0;
        at += piece->text.size;
        if (*at++ != (char)piece->slot)
            return 0;
    }
    return at == end;
}

static struct kind *kind_of(Scanner *self, const struct line *line, uint64_t *hash, uint8_t ports[2])
{
    struct table *table = &self->by_rest;
    ports[0] = self->port_class[line->source_port];
    ports[1] = self->port_class[line->destination_port];
    *hash = rest_hash(self->seed, line, ports);
    if (!table->slots)
        return NULL;
    uint32_t at = (uint32_t)*hash & table->mask;
    for (int probe = 0; probe < MAX_PROBES && table->slots[at]; probe++, at = (at + 1) & table->mask) {
        struct kind *one = &self->kinds[table->slots[at] - 1];
        if (one->hash == *hash && one->ports[0] == ports[0] && one->ports[1] == ports[1] &&
            same_rest(self->text + one->rest.at, one->rest.size, line))
            return one;
    }
    return NULL;
}

static struct served *serving_of(Scanner *self, int32_t number, int32_t service)
{
    struct table *table = &self->by_service;
    if (!table->slots)
        return NULL;
    uint32_t at = (uint32_t)pair_hash(number, service) & table->mask;
    for (int probe = 0; probe < MAX_PROBES && table->slots[at]; probe++, at = (at + 1) & table->mask) {
        struct served *one = &self->servings[table->slots[at] - 1];
        if (one->number == number && one->service == service)
            return one;
    }
    return NULL;
}

/* The number of an end with its service; -1 where it was not taught. */
static int32_t with_service(Scanner *self, int32_t number, int32_t service)
{
    if (service < 0)
        return number;
    struct served *one = serving_of(self, number, service);
    return one ? one->result : -1;
}

/* -- walking ----------------------------------------------------------------------------------------------------- */

/* Numbers of ends as `walk` hands them on: bare ones are known by the bit. */
enum { BARE_BIT = 1 << 30, UNKNOWN = -1 };

static size_t known_form(void *who, struct span ip, const char *at, size_t room, int *number)
{
    Scanner *self = who;
    struct address *address = address_of(self, ip);
    *number = UNKNOWN;
    if (!address)
        return 0;
    uint32_t count = address->count < FORMS ? address->count : FORMS;
    for (uint32_t i = 0; i < count; i++) {
        struct form *form = &address->forms[i];
        if (form->object.size <= room && memcmp(self->text + form->object.at, at, form->object.size) == 0) {
            *number = form->number | (form->bare ? BARE_BIT : 0);
            return form->object.size;
        }
    }
    return 0;
}

/* -- scan -------------------------------------------------------------------------------------------------------- */

struct columns {
    int32_t *sources, *destinations, *ports, *kinds;
    int64_t *times;
    uint16_t *flags;
    PyObject *answers; /* of DNS: name, addresses, seconds, time */
    int64_t *left; /* begin, end without its newline, number of the line */
    Py_ssize_t taken, left_over, room, left_room;
};

static void freed(struct columns *c)
{
    free(c->sources);
    free(c->destinations);
    free(c->ports);
    free(c->kinds);
    free(c->times);
    free(c->flags);
    free(c->left);
    Py_CLEAR(c->answers);
}

static int moved_to(void *column, size_t size, Py_ssize_t room)
{
    void **where = column;
    void *moved = realloc(*where, size * (size_t)room);
    if (moved)
        *where = moved;
    return moved != NULL;
}

static int room_for_one(struct columns *c)
{
    if (c->taken == c->room) {
        Py_ssize_t room = c->room ? c->room * 2 : 128;
        if (!moved_to(&c->sources, 4, room) || !moved_to(&c->destinations, 4, room) || !moved_to(&c->ports, 4, room) ||
            !moved_to(&c->kinds, 4, room) || !moved_to(&c->times, 8, room) || !moved_to(&c->flags, 2, room))
            return 0;
        c->room = room;
    }
    if (c->left_over == c->left_room) {
        Py_ssize_t room = c->left_room ? c->left_room * 2 : 32;
        if (!moved_to(&c->left, 24, room))
            return 0;
        c->left_room = room;
    }
    return 1;
}

/* What `walk` asks, and what was found. */
struct asking {
    Scanner *self;
    struct kind *kind;
};

static size_t asked_end(void *who, struct span ip, const char *at, size_t room, int *number)
{
    return known_form(((struct asking *)who)->self, ip, at, room, number);
}

static int asked_rest(void *who, struct line *line)
{
    struct asking *asking = who;
    uint64_t hash;
    uint8_t classes[2];
    asking->kind = kind_of(asking->self, line, &hash, classes);
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

/* Count a line; 0 for one that has to be read in full, -1 with an exception set. */
static int taken(Scanner *self, const char *begin, const char *end, int bare, struct columns *c)
{
    struct line line;
    struct asking asking = {self, NULL};
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
    int32_t port = line.destination_port;
    if (kind->turned) {
        int32_t other = source;
        source = destination;
        destination = other;
        port = line.source_port;
    }
    source = with_service(self, source, kind->source_service);
    destination = with_service(self, destination, kind->destination_service);
    if (source < 0 || destination < 0)
        return 0;
    if (line.answer_count && line.query.size && !answered(c->answers, &line))
        return -1;
    c->sources[c->taken] = source;
    c->destinations[c->taken] = destination;
    c->ports[c->taken] = port ? port : -1;
    c->kinds[c->taken] = kind->number;
    c->times[c->taken] = line.time;
    c->flags[c->taken] = kind->flags;
    c->taken++;
    return 1;
}

PyDoc_STRVAR(scan_doc,
             "scan(data, bare) -> (sources, destinations, ports, kinds, times, flags, first, last, left, lines, answers)\n\n"
             "Take the lines of `data` that are all known.  Columns are bytes: of 32-bit numbers, times of 64 bits\n"
             "in nanoseconds, flags of 16; first and last are those of the times, 0 where there is none.  `left`\n"
             "holds three 64-bit numbers for each other line: where it begins, where it ends without its newline,\n"
             "and which line of `data` it is.  A last line without a newline is always left.\n"
             "`answers` has (name, addresses, seconds or -1, time) of each DNS answer taken.");

static PyObject *scan(PyObject *object, PyObject *args)
{
    Scanner *self = (Scanner *)object;
    PyObject *given;
    int bare;
    char *data;
    Py_ssize_t size;
    if (!PyArg_ParseTuple(args, "Sp", &given, &bare) || PyBytes_AsStringAndSize(given, &data, &size) < 0)
        return NULL;
    struct columns c;
    memset(&c, 0, sizeof c);
    int64_t first = INT64_MAX, last = 0;
    Py_ssize_t lines = 0;
    c.answers = PyList_New(0);
    if (!c.answers)
        return NULL;
    if (!room_for_one(&c)) {
        freed(&c);
        return PyErr_NoMemory();
    }
    for (const char *at = data, *stop = data + size; at < stop; lines++) {
        const char *end = memchr(at, '\n', (size_t)(stop - at));
        if (!room_for_one(&c)) {
            freed(&c);
            return PyErr_NoMemory();
        }
        int result = end ? taken(self, at, end, bare, &c) : 0;
        if (result < 0) {
            freed(&c);
            return NULL;
        }
        if (result) {
            int64_t time = c.times[c.taken - 1];
            if (time < first)
                first = time;
            if (time > last)
                last = time;
        } else {
            int64_t *left = c.left + 3 * c.left_over++;
            left[0] = at - data;
            left[1] = (end ? end : stop) - data;
            left[2] = lines;
        }
        at = end ? end + 1 : stop;
    }
    PyObject *result = Py_BuildValue(
        "(y#y#y#y#y#y#LLy#nO)", (char *)c.sources, c.taken * 4, (char *)c.destinations, c.taken * 4, (char *)c.ports,
        c.taken * 4, (char *)c.kinds, c.taken * 4, (char *)c.times, c.taken * 8, (char *)c.flags, c.taken * 2,
        (long long)(c.taken ? first : 0), (long long)last, (char *)c.left, c.left_over * 24, lines, c.answers);
    freed(&c);
    return result;
}

/* -- teaching ---------------------------------------------------------------------------------------------------- */

static int learn_end(Scanner *self, struct span ip, struct span object, int32_t number, int32_t bare)
{
    struct address *address = address_of(self, ip);
    struct form form = {.number = number, .bare = bare};
    if (!address) {
        struct address fresh = {.hash = hashed(self->seed, ip.at, ip.size)};
        if (!grown(self, &self->by_ip, (void **)&self->addresses, &self->address_room, sizeof fresh, address_hash) ||
            !kept(self, ip.at, ip.size, &fresh.ip))
            return 0;
        address = &self->addresses[self->by_ip.used];
        *address = fresh;
        placed(&self->by_ip, fresh.hash);
    }
    if (!kept(self, object.at, object.size, &form.object))
        return 0;
    address->forms[address->count++ % FORMS] = form;
    return 1;
}

static int same(struct span span, const char *at, Py_ssize_t size)
{
    return span.at && span.size == (size_t)size && memcmp(span.at, at, span.size) == 0;
}

PyDoc_STRVAR(learn_doc,
             "learn(line, bare, time, source, destination, source_port, destination_port, source_number, source_bare,\n"
             "      destination_number, destination_bare, kind, turned, flags, source_service, destination_service)\n"
             "-> bool\n\n"
             "Remember what a line came to that was read in full; false where it is of a form that is not taken, or\n"
             "where it was taken apart otherwise than by whoever read it.  Ports are 0 for none; the services' numbers\n"
             "are of the ends as they stand after a reply was turned round, -1 for none.");

static PyObject *learn(PyObject *object, PyObject *args)
{
    Scanner *self = (Scanner *)object;
    PyObject *given;
    int bare, source_port, destination_port, turned;
    int source_number, source_bare, destination_number, destination_bare, number, flags, services[2];
    const char *source, *destination;
    Py_ssize_t source_size, destination_size;
    long long time;
    char *data;
    Py_ssize_t size;
    if (!PyArg_ParseTuple(args, "SpLy#y#iiipipipiii", &given, &bare, &time, &source, &source_size, &destination,
                          &destination_size, &source_port, &destination_port, &source_number, &source_bare,
                          &destination_number, &destination_bare, &number, &turned, &flags, &services[0],
                          &services[1]) ||
        PyBytes_AsStringAndSize(given, &data, &size) < 0)
        return NULL;
    struct line line;
    uint64_t hash;
    uint8_t classes[2];
    if (self->full || !size || data[size - 1] != '\n' || memchr(data, '\n', (size_t)size) != data + size - 1 ||
        source_number < 0 || destination_number < 0 || ((source_number | destination_number) & BARE_BIT) ||
        number < 0 || flags < 0 || flags > 0xFFFF || !walk(data, data + size - 1, bare, known_form, NULL, self, &line) ||
        line.time != time || line.source_port != source_port || line.destination_port != destination_port ||
        !same(line.source, source, source_size) || !same(line.destination, destination, destination_size))
        Py_RETURN_FALSE;
    if (line.source_number == UNKNOWN && !learn_end(self, line.source_ip, line.source, source_number, source_bare))
        Py_RETURN_FALSE;
    /* The first may have taught the second. */
    int known;
    if (line.destination_number == UNKNOWN &&
        !known_form(self, line.destination_ip, line.destination.at, line.destination.size, &known) &&
        !learn_end(self, line.destination_ip, line.destination, destination_number, destination_bare))
        Py_RETURN_FALSE;
    if (!kind_of(self, &line, &hash, classes)) {
        struct kind kind = {.hash = hash,
                            .number = number,
                            .source_service = services[0],
                            .destination_service = services[1],
                            .flags = (uint16_t)flags,
                            .turned = (uint8_t)turned,
                            .ports = {classes[0], classes[1]}};
        struct text last;
        if (!grown(self, &self->by_rest, (void **)&self->kinds, &self->kind_room, sizeof kind, kind_hash))
            Py_RETURN_FALSE;
        kind.rest.at = (uint32_t)self->text_size;
        for (int i = 0; i < line.count; i++) {
            char slot = (char)line.pieces[i].slot;
            if (!kept(self, line.pieces[i].text.at, line.pieces[i].text.size, &last) || !kept(self, &slot, 1, &last))
                Py_RETURN_FALSE;
        }
        kind.rest.size = (uint32_t)(self->text_size - kind.rest.at);
        self->kinds[self->by_rest.used] = kind;
        placed(&self->by_rest, hash);
    }
    Py_RETURN_TRUE;
}

PyDoc_STRVAR(serve_doc, "serve(number, service, result)\n\n"
                        "Remember the number of an end with a service beside it.");

static PyObject *serve(PyObject *object, PyObject *args)
{
    Scanner *self = (Scanner *)object;
    struct served one;
    if (!PyArg_ParseTuple(args, "iii", &one.number, &one.service, &one.result))
        return NULL;
    if (!serving_of(self, one.number, one.service) &&
        grown(self, &self->by_service, (void **)&self->servings, &self->serving_room, sizeof one, serving_hash)) {
        self->servings[self->by_service.used] = one;
        placed(&self->by_service, pair_hash(one.number, one.service));
    }
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
        memcpy(self->port_class, classes, sizeof self->port_class);
        self->seed = seed;
    }
    return (PyObject *)self;
}

static void scanner_dealloc(PyObject *object)
{
    Scanner *self = (Scanner *)object;
    PyTypeObject *type = Py_TYPE(object);
    free(self->text);
    free(self->addresses);
    free(self->kinds);
    free(self->servings);
    free(self->by_ip.slots);
    free(self->by_rest.slots);
    free(self->by_service.slots);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

static PyObject *is_full(PyObject *object, void *closure)
{
    (void)closure;
    return PyBool_FromLong(((Scanner *)object)->full);
}

static PyMethodDef methods[] = {
    {"scan", scan, METH_VARARGS, scan_doc},
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
    .m_doc = "Counting Hubble records that are like ones already read.",
    .m_size = -1,
};

PyMODINIT_FUNC PyInit_flowdiag_native(void)
{
    PyObject *made = PyModule_Create(&module);
    PyObject *type = PyType_FromSpec(&spec);
    /* The number of this interface: who imports another does without. */
    if (!made || !type || PyModule_AddObjectRef(made, "Scanner", type) < 0 ||
        PyModule_AddIntConstant(made, "INTERFACE", 2) < 0) {
        Py_XDECREF(made);
        Py_XDECREF(type);
        return NULL;
    }
    Py_DECREF(type);
    return made;
}
