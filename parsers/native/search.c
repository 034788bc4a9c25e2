/* Lines that hold one of a few marks, in one pass. */

#include "search.h"

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

void look_for(struct search *search, const char *text, size_t size)
{
    struct mark *mark = &search->marks[search->count];
    size_t best = 0;
    /* In the line that it begins in: a mark counts for that one. */
    for (size_t i = 1; i + 1 < size && text[i - 1] != '\n'; i++)
        if (rarity((unsigned char)text[i]) > rarity((unsigned char)text[best]))
            best = i;
    /* The one behind it: field names differ there that begin alike. */
    size_t next = best + 1 < size ? best + 1 : best;
    *mark = (struct mark){text, size, {best, next}};
    uint8_t group = (uint8_t)(1 << search->count % 8);
    for (int i = 0; i < 2; i++) {
        /* A mark of one letter has any behind it. */
        int any = i && next == best;
        unsigned char letter = (unsigned char)text[mark->places[i]];
        for (int half = 0; half < 16; half++) {
            search->lower[i][half] |= any || half == (letter & 15) ? group : 0;
            search->upper[i][half] |= any || half == letter >> 4 ? group : 0;
        }
    }
    search->longest = search->longest < size ? size : search->longest;
    search->count++;
}

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__GLIBC__) && !defined(__SANITIZE_THREAD__)
/* The loader takes the one that the processor can do; it asks before that sanitizer is there. */
#define WIDE __attribute__((target_clones("avx2", "default")))
#else
#define WIDE
#endif

/* Note in `hits` at which of STEP places two letters stand; a function of its own, so that it becomes wide comparisons.
   Microsoft's compiler knows `__restrict` always, and C's own word only where it is asked for C11. */
WIDE static void compared(const unsigned char *one, unsigned char a, const unsigned char *other, unsigned char b,
                          unsigned char *__restrict hits)
{
    for (int i = 0; i < STEP; i++)
        hits[i] |= (unsigned char)((one[i] == a) & (other[i] == b));
}

/* Note in `hits` where a mark may begin, of the STEP places from `at` on. */
static void looked(const unsigned char *at, const struct search *search, unsigned char hits[STEP])
{
    memset(hits, 0, STEP);
    for (const struct mark *mark = search->marks; mark < search->marks + search->count; mark++) {
        const unsigned char *text = (const unsigned char *)mark->text;
        compared(at + mark->places[0], text[mark->places[0]], at + mark->places[1], text[mark->places[1]], hits);
    }
}

static int is_here(const char *at, const char *end, const struct search *search)
{
    for (const struct mark *mark = search->marks; mark < search->marks + search->count; mark++)
        if ((size_t)(end - at) >= mark->size && memcmp(at, mark->text, mark->size) == 0)
            return 1;
    return 0;
}

static const char *found_by_letters(const char *at, const char *end, const struct search *search)
{
    unsigned char hits[STEP];
    for (; (size_t)(end - at) >= STEP + search->longest; at += STEP) {
        looked((const unsigned char *)at, search, hits);
        for (int word = 0; word < STEP; word += 8) {
            uint64_t eight;
            memcpy(&eight, hits + word, sizeof eight);
            for (int i = word; eight && i < word + 8; i++)
                if (hits[i] && is_here(at + i, end, search))
                    return at + i;
        }
    }
    for (; at < end; at++)
        if (is_here(at, end, search))
            return at;
    return NULL;
}

/* Tests compile what other processors run, too. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(NARROW_SEARCH)
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))

AVX2 static inline __m256i table_of(const uint8_t table[16])
{
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)table));
}

/* The groups of marks of which each of 32 bytes may be a letter. */
AVX2 static inline __m256i groups_of(const char *at, __m256i lower, __m256i upper)
{
    const __m256i half = _mm256_set1_epi8(15);
    __m256i bytes = _mm256_loadu_si256((const __m256i *)at);
    __m256i by_lower = _mm256_shuffle_epi8(lower, _mm256_and_si256(bytes, half));
    __m256i by_upper = _mm256_shuffle_epi8(upper, _mm256_and_si256(_mm256_srli_epi16(bytes, 4), half));
    return _mm256_and_si256(by_lower, by_upper);
}

/* As `found`, 32 places of the marks' letters at a time, however many marks there are. */
AVX2 static const char *found_by_groups(const char *at, const char *end, const struct search *search)
{
    const __m256i lower[2] = {table_of(search->lower[0]), table_of(search->lower[1])};
    const __m256i upper[2] = {table_of(search->upper[0]), table_of(search->upper[1])};
    const char *begin = at;
    for (; end - at > 32; at += 32) {
        __m256i both = _mm256_and_si256(groups_of(at, lower[0], upper[0]), groups_of(at + 1, lower[1], upper[1]));
        uint32_t hits = ~(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(both, _mm256_setzero_si256()));
        for (; hits; hits &= hits - 1) {
            const char *letter = at + __builtin_ctz(hits);
            for (const struct mark *mark = search->marks; mark < search->marks + search->count; mark++)
                if ((size_t)(letter - begin) >= mark->places[0] &&
                    (size_t)(end - letter) >= mark->size - mark->places[0] &&
                    memcmp(letter - mark->places[0], mark->text, mark->size) == 0)
                    return letter - mark->places[0];
        }
    }
    /* A mark's letter is among the last bytes, its beginning may be before them. */
    size_t before = (size_t)(at - begin) < search->longest ? (size_t)(at - begin) : search->longest;
    return found_by_letters(at - before, end, search);
}

const char *found(const char *at, const char *end, const struct search *search)
{
    return __builtin_cpu_supports("avx2") ? found_by_groups(at, end, search) : found_by_letters(at, end, search);
}

#else

const char *found(const char *at, const char *end, const struct search *search)
{
    return found_by_letters(at, end, search);
}

#endif

WIDE size_t newlines(const char *at, const char *end, int *odd)
{
    size_t total = 0;
    unsigned char few = 0;
    while (at < end) {
        size_t size = (size_t)(end - at) < 255 * LANES ? (size_t)(end - at) : 255 * LANES, i = 0;
        unsigned char counts[LANES] = {0}, seen[LANES] = {0};
        for (; i + LANES <= size; i += LANES)
            for (int j = 0; j < LANES; j++) {
                counts[j] += (unsigned char)(at[i + j] == '\n');
                seen[j] |= (unsigned char)((at[i + j] == 0) | (at[i + j] == '\xef'));
            }
        for (int j = 0; j < LANES; j++) {
            total += counts[j];
            few |= seen[j];
        }
        for (; i < size; i++) {
            total += at[i] == '\n';
            few |= (unsigned char)((at[i] == 0) | (at[i] == '\xef'));
        }
        at += size;
    }
    if (odd)
        *odd |= few;
    return total;
}
