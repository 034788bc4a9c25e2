/* A cursor over one line, shared by what takes lines apart.

   What may be read: the line's bytes and the newline at `end`, which the caller has found there; nothing behind it.
   Code that reads `*c->at` need not ask for `end` first, since a newline is none of the characters that are looked for:
   a loop stops at it, and a step over it (`*c->at++`) is a mismatch, upon which everything returns 0 and reads no more.
   What compares several bytes at once asks how many are left (`is`), and so does what skips a byte unseen. */

#ifndef FLOWDIAG_CURSOR_H
#define FLOWDIAG_CURSOR_H

#include <string.h>

#include "walk.h"

struct cursor {
    const char *at;
    const char *end; /* the line's newline */
    const char *piece; /* where the piece at hand began */
    struct line *out;
};

/* Past a text, if it stands here. */
static inline int is(struct cursor *c, const char *text, size_t size)
{
    if ((size_t)(c->end - c->at) < size || memcmp(c->at, text, size) != 0)
        return 0;
    c->at += size;
    return 1;
}
#define IS(c, text) is(c, text, sizeof(text) - 1)

static inline int has_slot(const struct line *line, enum slot slot)
{
    for (int i = 0; i < line->count; i++)
        if (line->pieces[i].slot == slot)
            return 1;
    return 0;
}

/* End the piece at hand: a slot begins.  A field that stands there twice is another form. */
static inline int open_slot(struct cursor *c, enum slot slot)
{
    struct line *out = c->out;
    if (out->count == MAX_PIECES || has_slot(out, slot))
        return 0;
    out->pieces[out->count].text.at = c->piece;
    out->pieces[out->count].text.size = (size_t)(c->at - c->piece);
    out->pieces[out->count].slot = slot;
    out->count++;
    return 1;
}

static inline void close_slot(struct cursor *c)
{
    c->piece = c->at;
}

/* Hexadecimal digits and what stands between them in UUIDs, MAC and IP addresses. */
static const unsigned char HEX[256] = {
    ['0'] = 1, ['1'] = 1, ['2'] = 1, ['3'] = 1, ['4'] = 1, ['5'] = 1, ['6'] = 1, ['7'] = 1, ['8'] = 1,
    ['9'] = 1, ['a'] = 1, ['b'] = 1, ['c'] = 1, ['d'] = 1, ['e'] = 1, ['f'] = 1, ['A'] = 1, ['B'] = 1,
    ['C'] = 1, ['D'] = 1, ['E'] = 1, ['F'] = 1, ['-'] = 1, [':'] = 1, ['.'] = 1,
};

/* The name of a field whose opening quote is behind, and its colon. */
static inline int key_of(struct cursor *c, struct span *key)
{
    key->at = c->at;
    while ((*c->at >= 'a' && *c->at <= 'z') || (*c->at >= 'A' && *c->at <= 'Z') || *c->at == '_' ||
           (*c->at >= '0' && *c->at <= '9'))
        c->at++;
    key->size = (size_t)(c->at - key->at);
    return key->size != 0 && IS(c, "\":");
}

static inline int key_is(struct span key, const char *name)
{
    return key.size == strlen(name) && memcmp(key.at, name, key.size) == 0;
}

/* Past the value of `l7`, or of the summary that repeats it, as a slot; see requests.c. */
int request(struct cursor *c);
int summary(struct cursor *c);

#endif
