#include "tables.h"

#if defined(__GNUC__)
#define NEAR(at) __builtin_prefetch(at)
#else
#define NEAR(at) ((void)(at))
#endif

enum { LINE = 64, AHEAD = 4 }; /* bytes that come near together, and how many such: what follows comes by itself */

static struct address *address_at(struct known *self, struct span ip, uint64_t hash)
{
    struct table *table = &self->by_ip;
    uint32_t at = slot_of(table, hash);
    for (int probe = 0; probe < MAX_PROBES && table->slots[at]; probe++, at = (at + 1) & table->mask) {
        struct address *one = &self->addresses[table->slots[at] - 1];
        if (one->hash == hash && one->ip.size == ip.size && memcmp(one->ip.at, ip.at, ip.size) == 0)
            return one;
    }
    return NULL;
}

struct address *address_of(struct known *self, struct span ip)
{
    return self->by_ip.slots ? address_at(self, ip, hashed(self->seed, ip.at, ip.size)) : NULL;
}

void addresses_of(struct known *self, const struct span ips[2], struct address *found[2])
{
    struct table *table = &self->by_ip;
    found[0] = found[1] = NULL;
    if (!table->slots)
        return;
    uint64_t hashes[2];
    for (int i = 0; i < 2; i++) {
        hashes[i] = hashed(self->seed, ips[i].at, ips[i].size);
        NEAR(&table->slots[slot_of(table, hashes[i])]);
    }
    for (int i = 0; i < 2; i++) {
        uint32_t slot = table->slots[slot_of(table, hashes[i])];
        if (slot)
            NEAR(&self->addresses[slot - 1]);
    }
    for (int i = 0; i < 2; i++) {
        found[i] = address_at(self, ips[i], hashes[i]);
        for (uint32_t form = 0; found[i] && form < found[i]->count; form++)
            for (size_t at = 0; at < AHEAD * LINE && at < found[i]->forms[form].object.size; at += LINE)
                NEAR(found[i]->forms[form].object.at + at);
    }
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

struct kind *kind_of(struct known *self, const struct line *line, uint64_t *hash, uint8_t ports[2])
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

struct served *serving_of(struct known *self, int32_t number, int32_t service)
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

size_t find_end(const struct address *address, const char *at, size_t room, int *number)
{
    *number = UNKNOWN;
    if (!address)
        return 0;
    for (uint32_t i = 0; i < address->count; i++) {
        const struct end *form = &address->forms[i];
        if (form->object.size <= room && memcmp(form->object.at, at, form->object.size) == 0) {
            *number = form->number | (form->bare ? BARE_BIT : 0);
            return form->object.size;
        }
    }
    return 0;
}

static size_t known_end_of(void *who, struct span ip, const char *at, size_t room, int *number)
{
    return find_end(address_of(who, ip), at, room, number);
}

int walk_known(struct known *known, const char *begin, const char *end, int bare, struct line *line)
{
    const struct asked asked = {known_end_of, NULL, NULL, known};
    return walk(begin, end, bare, &asked, line);
}
