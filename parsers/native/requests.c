/* Values that differ from record to record and of which little is looked at: JSON in ASCII, read as strictly as any
   reader does, so that what is taken here is taken there. */

#include "cursor.h"

enum { MAX_DEPTH = 16, MAX_DIGITS = 18, MAX_NAME = 1024 };

static int text_value(struct cursor *c)
{
    if (*c->at++ != '"')
        return 0;
    for (;;) {
        unsigned char one = (unsigned char)*c->at++;
        if (one == '"')
            return 1;
        if (one < 0x20 || one > 0x7e)
            return 0;
        if (one != '\\')
            continue;
        one = (unsigned char)*c->at++;
        if (!one || !strchr("\"\\/bfnrt", one))
            return 0;
    }
}

/* No more of them than any reader takes. */
static int some_digits(struct cursor *c)
{
    const char *begin = c->at;
    while (*c->at >= '0' && *c->at <= '9')
        c->at++;
    return c->at > begin && c->at - begin <= MAX_DIGITS;
}

static int number_value(struct cursor *c)
{
    if (*c->at == '-')
        c->at++;
    if (*c->at == '0')
        c->at++;
    else if (!some_digits(c))
        return 0;
    return *c->at != '.' || (c->at++, some_digits(c));
}

static int strict_value(struct cursor *c, int depth)
{
    switch (*c->at) {
    case '"':
        return text_value(c);
    case 't':
        return IS(c, "true");
    case 'f':
        return IS(c, "false");
    case 'n':
        return IS(c, "null");
    case '[':
    case '{': {
        int object = *c->at++ == '{';
        char end = object ? '}' : ']';
        if (depth == MAX_DEPTH)
            return 0;
        if (*c->at == end) {
            c->at++;
            return 1;
        }
        for (;;) {
            if (object && !(text_value(c) && *c->at++ == ':'))
                return 0;
            if (!strict_value(c, depth + 1))
                return 0;
            char next = *c->at++;
            if (next == end)
                return 1;
            if (next != ',')
                return 0;
        }
    }
    default:
        return number_value(c);
    }
}

/* The fields of an object, its opening brace behind; names are plain, so that none is spelt in another way. */
static int fields(struct cursor *c, int (*field)(struct cursor *, struct span))
{
    struct span key;
    if (*c->at == '}') {
        c->at++;
        return 1;
    }
    for (;;) {
        if (*c->at++ != '"' || !key_of(c, &key) || !field(c, key))
            return 0;
        char next = *c->at++;
        if (next == '}')
            return 1;
        if (next != ',')
            return 0;
    }
}

/* A string without escapes. */
static int name_value(struct cursor *c, const unsigned char *allowed, struct span *out)
{
    out->at = c->at + 1;
    if (!text_value(c))
        return 0;
    out->size = (size_t)(c->at - 1 - out->at);
    for (size_t i = 0; i < out->size; i++)
        if (out->at[i] == '\\' || (allowed && !allowed[(unsigned char)out->at[i]]))
            return 0;
    return 1;
}

/* {"query":"api.example.com.","ips":["192.0.2.7"],"ttl":30,"observation_source":"proxy","qtypes":["A"]}, 1.19 */
static int dns_field(struct cursor *c, struct span key)
{
    struct line *out = c->out;
    if (key_is(key, "query"))
        return !out->query.at && name_value(c, NULL, &out->query) && out->query.size <= MAX_NAME;
    if (key_is(key, "ttl")) {
        const char *begin = c->at;
        if (out->ttl >= 0 || !some_digits(c) || c->at - begin > 9 || (*begin == '0' && c->at - begin > 1))
            return 0;
        for (out->ttl = 0; begin < c->at; begin++)
            out->ttl = out->ttl * 10 + (*begin - '0');
        return 1;
    }
    if (!key_is(key, "ips"))
        return strict_value(c, 2);
    if (out->answer_count || !IS(c, "["))
        return 0;
    while (out->answer_count < MAX_ANSWERS && name_value(c, HEX, &out->answers[out->answer_count])) {
        out->answer_count++;
        if (IS(c, "]"))
            return 1;
        if (!IS(c, ","))
            return 0;
    }
    return 0;
}

static int l7_field(struct cursor *c, struct span key)
{
    if (!key_is(key, "dns"))
        return strict_value(c, 1);
    return !c->out->query.at && IS(c, "{") && fields(c, dns_field) && c->out->query.at;
}

int request(struct cursor *c)
{
    if (*c->at != '{' || !open_slot(c, SLOT_L7))
        return 0;
    c->at++;
    if (!fields(c, l7_field))
        return 0;
    close_slot(c);
    return 1;
}

int summary(struct cursor *c)
{
    if (!open_slot(c, SLOT_SUMMARY) || !text_value(c))
        return 0;
    close_slot(c);
    return 1;
}
