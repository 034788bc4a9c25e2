#include "known.h"

#include <stdlib.h>
#include <string.h>

enum {
    FORMS = 4,            /* objects kept per address, the newest: with and without what only its own node knows */
    MAX_PROBES = 32,      /* a table is not searched further, so that chosen names cost no more */
    MAX_TEXT = 8 << 20,   /* bytes of rests and addresses: past it nothing is learnt, and what is known stays */
    MAX_OBJECTS = 24 << 20, /* bytes of ends' objects: past it it is time to begin again */
    CHUNK = 1 << 18,
    MAX_ENTRIES = 1 << 16,
    MAX_RESTS = 1 << 20,  /* parts of all rests */
    SLOT_BITS = 5,
    CUT = (1 << SLOT_BITS) - 1, /* where no slot stands behind a part, but more of the same piece */
};

struct chunk {
    struct chunk *next;
    size_t used, room;
    char text[];
};

struct address {
    uint64_t hash;
    struct span ip;
    struct end forms[FORMS];
    uint32_t count;
};

/* A text that stands in many rests: a node's name and labels, what stands at all nodes behind them. */
struct part {
    uint64_t hash;
    struct span text;
};

struct served {
    int32_t number, service, result;
};

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

/* Where to begin.  The upper bits of a product hang on all of what was multiplied. */
static uint32_t slot_of(const struct table *table, uint64_t hash)
{
    return (uint32_t)(hash >> 40) & table->mask;
}

/* Give an entry a slot near its hash; one that would be searched for too long gets none, and is not found. */
static void placed(struct table *table, uint32_t entry, uint64_t hash)
{
    uint32_t at = slot_of(table, hash);
    for (int probe = 0; probe < MAX_PROBES; probe++, at = (at + 1) & table->mask)
        if (!table->slots[at]) {
            table->slots[at] = entry + 1;
            return;
        }
}

static int table_grown(struct table *table, uint64_t (*hash_of)(struct known *, uint32_t), struct known *self)
{
    uint32_t size = table->slots ? (table->mask + 1) * 2 : 1024;
    uint32_t *slots = calloc(size, sizeof *slots);
    if (!slots)
        return 0;
    free(table->slots);
    table->slots = slots;
    table->mask = size - 1;
    for (uint32_t entry = 0; entry < table->used; entry++)
        placed(table, entry, hash_of(self, entry));
    return 1;
}

static uint64_t address_hash(struct known *self, uint32_t entry) { return self->addresses[entry].hash; }
static uint64_t part_hash(struct known *self, uint32_t entry) { return self->parts[entry].hash; }
static uint64_t kind_hash(struct known *self, uint32_t entry) { return self->kinds[entry].hash; }
static uint64_t pair_hash(int32_t number, int32_t service)
{
    return mixed(mixed(0, (uint32_t)number), (uint32_t)service);
}
static uint64_t serving_hash(struct known *self, uint32_t entry)
{
    return pair_hash(self->servings[entry].number, self->servings[entry].service);
}

static uint64_t place_hash(int32_t source, int32_t destination, int32_t port, int32_t kind)
{
    return mixed(mixed(pair_hash(source, destination), (uint32_t)port), (uint32_t)kind);
}
static uint64_t lane_hash(struct known *self, uint32_t entry)
{
    struct lane *one = &self->lanes[entry];
    return place_hash(one->source, one->destination, one->port, one->kind);
}

/* The entries, moved perhaps, with room for one more; NULL where there is none, and then they stay. */
static void *grown(struct known *self, struct table *table, void *entries, uint32_t *room, size_t size,
                   uint64_t (*hash_of)(struct known *, uint32_t))
{
    if (table->used == MAX_ENTRIES) {
        self->full = 1;
        return NULL;
    }
    /* A quarter full: of a table that is half full some entries find no slot, and lines like theirs are left for ever. */
    if ((!table->slots || table->used * 4 >= table->mask) && !table_grown(table, hash_of, self))
        return NULL;
    if (table->used < *room)
        return entries;
    uint32_t more = *room ? *room * 2 : 256;
    void *moved = realloc(entries, more * size);
    if (moved)
        *room = more;
    return moved;
}

/* Room for so much text, which stays where it is; NULL where there is none. */
static char *room_for(struct known *self, size_t size)
{
    struct chunk *chunk = self->chunks;
    if (self->text_bytes + size > MAX_TEXT)
        return NULL;
    if (!chunk || chunk->room - chunk->used < size) {
        size_t room = size > CHUNK ? size : CHUNK;
        chunk = malloc(sizeof *chunk + room);
        if (!chunk)
            return NULL;
        chunk->next = self->chunks;
        chunk->used = 0;
        chunk->room = room;
        self->chunks = chunk;
    }
    char *at = chunk->text + chunk->used;
    chunk->used += size;
    self->text_bytes += size;
    return at;
}

static struct address *address_of(struct known *self, struct span ip)
{
    struct table *table = &self->by_ip;
    if (!table->slots)
        return NULL;
    uint64_t hash = hashed(self->seed, ip.at, ip.size);
    uint32_t at = slot_of(table, hash);
    for (int probe = 0; probe < MAX_PROBES && table->slots[at]; probe++, at = (at + 1) & table->mask) {
        struct address *one = &self->addresses[table->slots[at] - 1];
        if (one->hash == hash && one->ip.size == ip.size && memcmp(one->ip.at, ip.at, ip.size) == 0)
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

static int same_rest(const struct known *self, const struct kind *kind, const struct line *line)
{
    const uint32_t *at = self->rests + kind->rest, *stop = at + kind->parts;
    for (int i = 0; i < line->count; i++) {
        struct span left = line->pieces[i].text;
        uint32_t behind;
        do {
            if (at == stop)
                return 0;
            struct span text = self->parts[*at >> SLOT_BITS].text;
            behind = *at++ & CUT;
            if (text.size > left.size || memcmp(text.at, left.at, text.size) != 0)
                return 0;
            left.at += text.size;
            left.size -= text.size;
        } while (behind == CUT);
        if (left.size || behind != line->pieces[i].slot)
            return 0;
    }
    return at == stop;
}

static struct kind *kind_of(struct known *self, const struct line *line, uint64_t *hash, uint8_t ports[2])
{
    struct table *table = &self->by_rest;
    ports[0] = self->port_class[line->source_port];
    ports[1] = self->port_class[line->destination_port];
    *hash = rest_hash(self->seed, line, ports);
    if (!table->slots)
        return NULL;
    uint32_t at = slot_of(table, *hash);
    for (int probe = 0; probe < MAX_PROBES && table->slots[at]; probe++, at = (at + 1) & table->mask) {
        struct kind *one = &self->kinds[table->slots[at] - 1];
        if (one->hash == *hash && one->ports[0] == ports[0] && one->ports[1] == ports[1] &&
            same_rest(self, one, line))
            return one;
    }
    return NULL;
}

static struct served *serving_of(struct known *self, int32_t number, int32_t service)
{
    struct table *table = &self->by_service;
    if (!table->slots)
        return NULL;
    uint32_t at = slot_of(table, pair_hash(number, service));
    for (int probe = 0; probe < MAX_PROBES && table->slots[at]; probe++, at = (at + 1) & table->mask) {
        struct served *one = &self->servings[table->slots[at] - 1];
        if (one->number == number && one->service == service)
            return one;
    }
    return NULL;
}

/* -- what is asked ----------------------------------------------------------------------------------------------- */

int32_t find_served(struct known *self, int32_t number, int32_t service)
{
    if (service < 0)
        return number;
    struct served *one = serving_of(self, number, service);
    return one ? one->result : UNKNOWN;
}

int32_t find_lane(struct known *self, int32_t source, int32_t destination, int32_t port, int32_t kind)
{
    struct table *table = &self->by_lane;
    if (!table->slots)
        return UNKNOWN;
    uint32_t at = slot_of(table, place_hash(source, destination, port, kind));
    for (int probe = 0; probe < MAX_PROBES && table->slots[at]; probe++, at = (at + 1) & table->mask) {
        struct lane *one = &self->lanes[table->slots[at] - 1];
        if (one->source == source && one->destination == destination && one->port == port && one->kind == kind)
            return one->number;
    }
    return UNKNOWN;
}

struct kind *find_kind(struct known *self, const struct line *line)
{
    uint64_t hash;
    uint8_t classes[2];
    return kind_of(self, line, &hash, classes);
}

size_t find_end(void *who, struct span ip, const char *at, size_t room, int *number)
{
    struct known *self = who;
    struct address *address = address_of(self, ip);
    *number = UNKNOWN;
    if (!address)
        return 0;
    for (uint32_t i = 0; i < address->count; i++) {
        struct end *form = &address->forms[i];
        if (form->object.size <= room && memcmp(form->object.at, at, form->object.size) == 0) {
            *number = form->number | (form->bare ? BARE_BIT : 0);
            return form->object.size;
        }
    }
    return 0;
}

/* -- what is taught ---------------------------------------------------------------------------------------------- */

int learn_end(struct known *self, struct span ip, struct end end, void **gone)
{
    struct address *address = address_of(self, ip);
    if (!address) {
        struct address fresh = {.hash = hashed(self->seed, ip.at, ip.size)};
        void *moved = grown(self, &self->by_ip, self->addresses, &self->address_room, sizeof fresh, address_hash);
        if (!moved)
            return 0;
        self->addresses = moved;
        char *text = room_for(self, ip.size);
        if (!text)
            return 0;
        fresh.ip.at = memcpy(text, ip.at, ip.size);
        fresh.ip.size = ip.size;
        address = &self->addresses[self->by_ip.used];
        *address = fresh;
        placed(&self->by_ip, self->by_ip.used++, fresh.hash);
    }
    *gone = NULL;
    self->object_bytes += end.object.size;
    if (self->object_bytes > MAX_OBJECTS)
        self->full = 1;
    if (address->count == FORMS) {
        self->object_bytes -= address->forms[0].object.size;
        *gone = address->forms[0].owner;
        memmove(address->forms, address->forms + 1, (FORMS - 1) * sizeof *address->forms);
        address->count--;
    }
    address->forms[address->count++] = end;
    return 1;
}

/* How much of a text belongs to a node or to all of them, whichever comes first: so cut, its parts stand in many rests. */
static size_t cut(struct span text)
{
    static const char *const BEFORE[] = {",\"event_type\":", ",\"node_name\":"};
    const char *end = text.at + text.size, *at = text.at;
    while (end - at > 1 && (at = memchr(at + 1, ',', (size_t)(end - at - 1))))
        for (size_t j = 0; j < sizeof BEFORE / sizeof *BEFORE; j++) {
            size_t size = strlen(BEFORE[j]);
            if ((size_t)(end - at) >= size && memcmp(at, BEFORE[j], size) == 0)
                return (size_t)(at - text.at);
        }
    return text.size;
}

/* Take in one more part of the rest at hand; 0 where there is no room. */
static int learn_part(struct known *self, struct span text, uint32_t behind)
{
    uint64_t hash = hashed(self->seed, text.at, text.size);
    struct table *table = &self->by_text;
    uint32_t entry = table->used, at = slot_of(table, hash);
    for (int probe = 0; table->slots && probe < MAX_PROBES && table->slots[at]; probe++, at = (at + 1) & table->mask) {
        struct part *one = &self->parts[table->slots[at] - 1];
        if (one->hash == hash && one->text.size == text.size && memcmp(one->text.at, text.at, text.size) == 0) {
            entry = table->slots[at] - 1;
            break;
        }
    }
    if (entry == table->used) {
        struct part part = {.hash = hash};
        void *moved = grown(self, table, self->parts, &self->part_room, sizeof part, part_hash);
        if (!moved)
            return 0;
        self->parts = moved;
        char *copy = room_for(self, text.size);
        if (!copy)
            return 0;
        part.text.at = memcpy(copy, text.at, text.size);
        part.text.size = text.size;
        self->parts[entry] = part;
        placed(table, table->used++, hash);
    }
    if (self->rests_used == self->rests_room) {
        uint32_t more = self->rests_room ? self->rests_room * 2 : 1024;
        uint32_t *moved = more > MAX_RESTS ? NULL : realloc(self->rests, more * sizeof *moved);
        if (!moved)
            return 0;
        self->rests = moved;
        self->rests_room = more;
    }
    self->rests[self->rests_used++] = entry << SLOT_BITS | behind;
    return 1;
}

int learn_kind(struct known *self, const struct line *line, struct kind kind)
{
    if (kind_of(self, line, &kind.hash, kind.ports))
        return 1;
    void *moved = grown(self, &self->by_rest, self->kinds, &self->kind_room, sizeof kind, kind_hash);
    if (!moved)
        return 0;
    self->kinds = moved;
    kind.rest = self->rests_used;
    for (int i = 0; i < line->count; i++) {
        struct span text = line->pieces[i].text;
        uint32_t behind;
        do {
            size_t size = cut(text);
            behind = size < text.size ? CUT : line->pieces[i].slot;
            if (!learn_part(self, (struct span){text.at, size}, behind)) {
                self->rests_used = kind.rest;
                return 0;
            }
            text.at += size;
            text.size -= size;
        } while (behind == CUT);
    }
    kind.parts = self->rests_used - kind.rest;
    self->kinds[self->by_rest.used] = kind;
    placed(&self->by_rest, self->by_rest.used++, kind.hash);
    return 1;
}

void learn_served(struct known *self, int32_t number, int32_t service, int32_t result)
{
    struct served one = {number, service, result};
    if (serving_of(self, number, service))
        return;
    void *moved = grown(self, &self->by_service, self->servings, &self->serving_room, sizeof one, serving_hash);
    if (!moved)
        return;
    self->servings = moved;
    self->servings[self->by_service.used] = one;
    placed(&self->by_service, self->by_service.used++, pair_hash(number, service));
}

void learn_lane(struct known *self, struct lane lane)
{
    /* A scan of ports has more of them than anything else here, and without them lines are taken as well. */
    if (self->by_lane.used == MAX_ENTRIES ||
        find_lane(self, lane.source, lane.destination, lane.port, lane.kind) != UNKNOWN)
        return;
    void *moved = grown(self, &self->by_lane, self->lanes, &self->lane_room, sizeof lane, lane_hash);
    if (!moved)
        return;
    self->lanes = moved;
    self->lanes[self->by_lane.used] = lane;
    placed(&self->by_lane, self->by_lane.used++, place_hash(lane.source, lane.destination, lane.port, lane.kind));
}

void forgotten(struct known *self, void (*release)(void *owner))
{
    while (self->chunks) {
        struct chunk *next = self->chunks->next;
        free(self->chunks);
        self->chunks = next;
    }
    for (uint32_t i = 0; i < self->by_ip.used; i++)
        for (uint32_t j = 0; j < self->addresses[i].count; j++)
            release(self->addresses[i].forms[j].owner);
    free(self->addresses);
    free(self->parts);
    free(self->kinds);
    free(self->servings);
    free(self->lanes);
    free(self->rests);
    free(self->by_ip.slots);
    free(self->by_text.slots);
    free(self->by_rest.slots);
    free(self->by_service.slots);
    free(self->by_lane.slots);
}
