/* Lines that hold one of a few marks, in one pass. */

#include "search.h"

#include <stdint.h>
#include <string.h>

enum {
    STEP = 256, /* bytes looked at together: what compilers turn into wide comparisons, a mark at a time */
    LANES = 64,  /* sums in bytes, side by side */
};

/* Letters of marks by how seldom they stand in logs and JSON: capitals before all else. */
static int rarity(unsigned char c)
{
    return c >= 'A' && c <= 'Z' ? 3 : c == '_' || c == '=' || c == ';' ? 2 : c >= 'a' && c <= 'z' ? 1 : 0;
}

void prepared(struct mark *mark, const char *text, size_t size)
{
    size_t best = 0;
    for (size_t i = 1; i < size; i++)
        if (rarity((unsigned char)text[i]) > rarity((unsigned char)text[best]))
            best = i;
    /* The one behind it: field names differ there that begin alike. */
    size_t next = best + 1 < size ? best + 1 : best ? best - 1 : 0;
    mark->text = text;
    mark->size = size;
    mark->places[0] = best;
    mark->places[1] = next;
}

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__GLIBC__) && !defined(__SANITIZE_THREAD__)
/* The loader takes the one that the processor can do; it asks before that sanitizer is there. */
#define WIDE __attribute__((target_clones("avx2", "default")))
#else
#define WIDE
#endif

/* Note in `hits` at which of STEP places two letters stand; a function of its own, so that it becomes wide comparisons. */
WIDE static void compared(const unsigned char *one, unsigned char a, const unsigned char *other, unsigned char b,
                          unsigned char *restrict hits)
{
    for (int i = 0; i < STEP; i++)
        hits[i] |= (unsigned char)((one[i] == a) & (other[i] == b));
}

/* Note in `hits` where a mark may begin, of the STEP places from `at` on. */
static void looked(const unsigned char *at, const struct mark *marks, int count, unsigned char hits[STEP])
{
    memset(hits, 0, STEP);
    for (int m = 0; m < count; m++) {
        const size_t *places = marks[m].places;
        const unsigned char *text = (const unsigned char *)marks[m].text;
        compared(at + places[0], text[places[0]], at + places[1], text[places[1]], hits);
    }
}

static int is_here(const char *at, const char *end, const struct mark *marks, int count)
{
    for (int m = 0; m < count; m++)
        if ((size_t)(end - at) >= marks[m].size && memcmp(at, marks[m].text, marks[m].size) == 0)
            return 1;
    return 0;
}

const char *found(const char *at, const char *end, const struct mark *marks, int count, size_t longest)
{
    unsigned char hits[STEP];
    for (; (size_t)(end - at) >= STEP + longest; at += STEP) {
        looked((const unsigned char *)at, marks, count, hits);
        for (int word = 0; word < STEP; word += 8) {
            uint64_t eight;
            memcpy(&eight, hits + word, sizeof eight);
            for (int i = word; eight && i < word + 8; i++)
                if (hits[i] && is_here(at + i, end, marks, count))
                    return at + i;
        }
    }
    for (; at < end; at++)
        if (is_here(at, end, marks, count))
            return at;
    return NULL;
}

WIDE size_t newlines(const char *at, const char *end)
{
    size_t total = 0;
    while (at < end) {
        size_t size = (size_t)(end - at) < 255 * LANES ? (size_t)(end - at) : 255 * LANES, i = 0;
        unsigned char counts[LANES] = {0};
        for (; i + LANES <= size; i += LANES)
            for (int j = 0; j < LANES; j++)
                counts[j] += (unsigned char)(at[i + j] == '\n');
        for (int j = 0; j < LANES; j++)
            total += counts[j];
        for (; i < size; i++)
            total += at[i] == '\n';
        at += size;
    }
    return total;
}
