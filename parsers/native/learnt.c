#include "tables.h"

#include <stdlib.h>

enum {
    MAX_TEXT = 8 << 20,     /* bytes of rests and addresses: past it nothing is learnt, and what is known stays */
    MAX_OBJECTS = 24 << 20, /* bytes of ends' objects: past it it is time to begin again */
    CHUNK = 1 << 18,
    MAX_ENTRIES = 1 << 16,
    MAX_RESTS = 1 << 20, /* parts of all rests */
};

struct chunk {
    struct chunk *next;
    size_t used, room;
    char text[];
};

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
static uint64_t serving_hash(struct known *self, uint32_t entry)
{
    return pair_hash(self->servings[entry].number, self->servings[entry].service);
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
