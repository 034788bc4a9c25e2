/* Which of hundreds of marks stand in a text, in one pass: by the four letters that each begins with. */

#include "held.h"

#include <stdint.h>
#include <string.h>

enum { BEGIN = 4, BITS = 15, SLOTS = 1 << BITS };

static uint32_t slot_of(const char *at)
{
    uint32_t letters;
    memcpy(&letters, at, BEGIN);
    return letters * UINT32_C(2654435761) >> (32 - BITS);
}

/* Marks of fewer letters are few. */
static int stands(const char *text, size_t size, const struct sought *mark)
{
    if (mark->size > size)
        return 0;
    for (const char *at = text, *last = text + size - mark->size; at <= last; at++) {
        at = memchr(at, mark->text[0], (size_t)(last - at) + 1);
        if (!at)
            return 0;
        if (memcmp(at, mark->text, mark->size) == 0)
            return 1;
    }
    return 0;
}

void held(const char *text, size_t size, struct sought *marks, int count, char *there)
{
    /* One bit for each slot, so that a text's letters are asked about in a core's nearest cache. */
    uint8_t begins[SLOTS / 8] = {0};
    uint16_t firsts[SLOTS]; /* of slots that have a bit, the mark that came last, from 1 on */
    int left = 0;
    for (int i = 0; i < count; i++) {
        struct sought *mark = &marks[i];
        there[i] = 0;
        if (mark->size < BEGIN) {
            there[i] = (char)stands(text, size, mark);
            continue;
        }
        uint32_t slot = slot_of(mark->text);
        uint8_t bit = (uint8_t)(1 << slot % 8);
        mark->next = begins[slot / 8] & bit ? firsts[slot] : 0;
        begins[slot / 8] |= bit;
        firsts[slot] = (uint16_t)(i + 1);
        left++;
    }
    for (size_t i = 0; left && i + BEGIN <= size; i++) {
        uint32_t slot = slot_of(text + i);
        if (!(begins[slot / 8] >> slot % 8 & 1))
            continue;
        for (int before = 0, one = firsts[slot]; one; one = marks[one - 1].next) {
            struct sought *mark = &marks[one - 1];
            if (mark->size > size - i || memcmp(text + i, mark->text, mark->size) != 0) {
                before = one;
                continue;
            }
            /* What was found is not looked for any longer: words that stand everywhere cost once. */
            there[one - 1] = 1;
            left--;
            if (before)
                marks[before - 1].next = mark->next;
            else if (mark->next)
                firsts[slot] = (uint16_t)mark->next;
            else
                begins[slot / 8] &= (uint8_t)~(1 << slot % 8);
        }
    }
}
