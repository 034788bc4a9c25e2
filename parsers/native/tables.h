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

/* All of one to seven bytes. */
static inline uint64_t few_at(const char *at, size_t size)
{
    if (size >= 4) {
        uint32_t first, last;
        memcpy(&first, at, sizeof first);
        memcpy(&last, at + size - sizeof last, sizeof last);
        return (uint64_t)first << 32 | last;
    }
    return (uint64_t)(unsigned char)at[0] << 16 | (uint64_t)(unsigned char)at[size / 2] << 8 | (unsigned char)at[size - 1];
}

/* Four lanes at once: one waits for each multiplication. */
static inline uint64_t hashed(uint64_t hash, const char *at, size_t size)
{
    const size_t whole = size;
    hash = mixed(hash, size);
    if (size >= 32) {
        uint64_t lanes[4] = {hash, hash + 1, hash + 2, hash + 3};
        for (; size >= 32; at += 32, size -= 32)
            for (int i = 0; i < 4; i++)
                lanes[i] = mixed(lanes[i], word_at(at + 8 * i));
        hash = mixed(mixed(mixed(lanes[0], lanes[1]), lanes[2]), lanes[3]);
    }
    const char *end = at + size;
    for (; end - at >= 8; at += 8)
        hash = mixed(hash, word_at(at));
    /* Byte by byte, what was written would have to be waited for to be read as a word. */
    if (end > at) {
        uint64_t last = whole >= 8 ? word_at(end - 8) : few_at(at, (size_t)(end - at));
        /* What is uppermost in a factor is in the product too, where `slot_of` does not look. */
        hash = mixed(hash, last ^ last >> 32);
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

/* As `find_kind`, and the hash and the classes of the ports that it is to be kept with. */
struct kind *kind_of(struct known *known, const struct line *line, uint64_t *hash, uint8_t ports[2]);

struct served *serving_of(struct known *known, int32_t number, int32_t service);

#endif
