/* Inside of what a scanner was taught: what `known.c` looks up and `learnt.c` adds to. */

#ifndef FLOWDIAG_TABLES_H
#define FLOWDIAG_TABLES_H

#include "known.h"

#include <string.h>

enum {
    FORMS = 4,       /* objects kept per address, the newest: with and without what only its own node knows */
    MAX_PROBES = 32, /* a table is not searched further, so that chosen names cost no more */
    SLOT_BITS = 5,
    CUT = (1 << SLOT_BITS) - 1, /* where no slot stands behind a part, but more of the same piece */
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

static inline uint64_t mixed(uint64_t hash, uint64_t more)
{
    hash = (hash ^ more) * UINT64_C(0x9E3779B97F4A7C15);
    return hash ^ (hash >> 29);
}

static inline uint64_t word_at(const char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

/* Four lanes at once: one waits for each multiplication. */
static inline uint64_t hashed(uint64_t hash, const char *at, size_t size)
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

static inline uint64_t pair_hash(int32_t number, int32_t service)
{
    return mixed(mixed(0, (uint32_t)number), (uint32_t)service);
}

static inline uint64_t place_hash(int32_t source, int32_t destination, int32_t port, int32_t kind)
{
    return mixed(mixed(pair_hash(source, destination), (uint32_t)port), (uint32_t)kind);
}

/* Where to begin.  The upper bits of a product hang on all of what was multiplied. */
static inline uint32_t slot_of(const struct table *table, uint64_t hash)
{
    return (uint32_t)(hash >> 40) & table->mask;
}

/* What is known of an address, NULL for nothing. */
struct address *address_of(struct known *known, struct span ip);

/* As `find_kind`, and the hash and the classes of the ports that it is to be kept with. */
struct kind *kind_of(struct known *known, const struct line *line, uint64_t *hash, uint8_t ports[2]);

struct served *serving_of(struct known *known, int32_t number, int32_t service);

#endif
