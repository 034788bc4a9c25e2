/* Taking a line apart; see walk.h for the format, and cursor.h for what may be read.

   Functions that go past something return 0, and leave the cursor anywhere, where it is not what they look for. */

#include "cursor.h"

/* The longest that are taken, in characters. */
enum {
    MAX_ADDRESS = 45,    /* 0000:0000:0000:0000:0000:ffff:255.255.255.255 */
    MAX_MAC = 17,        /* 00:00:5e:00:53:01 */
    MAX_UUID = 64,       /* 36 are usual; nothing is made of it */
    MAX_NODE_NAME = 512, /* a cluster's name, a slash, and a name of up to 253 */
};

/* Past a string whose opening quote is behind. */
static int skip_string(struct cursor *c)
{
    const char *at = c->at, *end = c->end;
    while (at < end) {
        if (*at == '"') {
            c->at = at + 1;
            return 1;
        }
        at += *at == '\\' ? 2 : 1;
    }
    return 0;
}

/* Past any value. */
static int skip_value(struct cursor *c)
{
    char first = *c->at;
    if (first == '"') {
        c->at++;
        return skip_string(c);
    }
    if (first == '{' || first == '[') {
        int depth = 0;
        while (c->at < c->end) {
            char one = *c->at++;
            if (one == '"') {
                if (!skip_string(c))
                    return 0;
            } else if (one == '{' || one == '[') {
                depth++;
            } else if ((one == '}' || one == ']') && --depth == 0) {
                return 1;
            }
        }
        return 0;
    }
    while (c->at < c->end && *c->at != ',' && *c->at != '}' && *c->at != ']')
        c->at++;
    return c->at < c->end;
}

/* A slot of up to `most` of the characters allowed, none of which needs an escape; and past the quote behind it. */
static int plain(struct cursor *c, enum slot slot, const unsigned char *allowed, size_t most, struct span *out)
{
    if (!open_slot(c, slot))
        return 0;
    const char *begin = c->at;
    while (allowed[(unsigned char)*c->at])
        c->at++;
    size_t size = (size_t)(c->at - begin);
    if (size == 0 || size > most || *c->at != '"')
        return 0;
    if (out) {
        out->at = begin;
        out->size = size;
    }
    close_slot(c);
    c->at++;
    return 1;
}

/* The number that exactly `count` digits stand for, up to nine of them. */
static int digits(const char *at, int count, int32_t *value)
{
    int32_t sum = 0;
    for (int i = 0; i < count; i++) {
        if (at[i] < '0' || at[i] > '9')
            return 0;
        sum = sum * 10 + (at[i] - '0');
    }
    *value = sum;
    return 1;
}

/* Days since 1970-01-01 of a date of the proleptic Gregorian calendar: years begin in March, so that the leap day
   is the last of its year. */
static int64_t days(int32_t year, int32_t month, int32_t day)
{
    int64_t y = year - (month <= 2);
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return y * 365 + y / 4 - y / 100 + y / 400 + of_year - 719468;
}

/* RFC 3339 in UTC with a fraction of one to nine digits: 2025-07-15T01:30:19.361221854Z */
static int time_of(const char *at, size_t size, int64_t *ns)
{
    static const unsigned char length[13] = {0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int32_t year, month, day, hour, minute, second, fraction;
    if (size < 22 || size > 30 || at[4] != '-' || at[7] != '-' || at[10] != 'T' || at[13] != ':' ||
        at[16] != ':' || at[19] != '.' || at[size - 1] != 'Z')
        return 0;
    if (!digits(at, 4, &year) || !digits(at + 5, 2, &month) || !digits(at + 8, 2, &day) ||
        !digits(at + 11, 2, &hour) || !digits(at + 14, 2, &minute) || !digits(at + 17, 2, &second) ||
        !digits(at + 20, (int)size - 21, &fraction))
        return 0;
    /* Which years a clock can have is for whoever reads all of it; these are any clock's. */
    if (year < 2000 || year > 2099 || month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 59)
        return 0;
    int leap = month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (day > length[month] + leap)
        return 0;
    int64_t ns_of = fraction;
    for (size_t i = size; i < 30; i++)
        ns_of *= 10;
    *ns = (((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second) * INT64_C(1000000000) + ns_of;
    return 1;
}

/* The time's text as a slot, and past its quotes; `time_of` reads it. */
static int time_slot(struct cursor *c, enum slot slot, struct span *out)
{
    if (*c->at != '"')
        return 0;
    c->at++;
    if (!open_slot(c, slot))
        return 0;
    const char *quote = memchr(c->at, '"', (size_t)(c->end - c->at));
    if (!quote)
        return 0;
    out->at = c->at;
    out->size = (size_t)(quote - c->at);
    c->at = quote;
    close_slot(c);
    c->at++;
    return 1;
}

/* A port, no zero in front: protojson leaves a port of 0 out. */
static int port(struct cursor *c, enum slot slot, int32_t *out)
{
    if (!open_slot(c, slot))
        return 0;
    int32_t value = 0;
    const char *begin = c->at;
    while (*c->at >= '0' && *c->at <= '9' && c->at - begin < 5)
        value = value * 10 + (*c->at++ - '0');
    if (c->at == begin || *begin == '0' || value > 65535 || (*c->at != ',' && *c->at != '}'))
        return 0;
    *out = value;
    close_slot(c);
    return 1;
}

static int addresses(struct cursor *c, const struct asked *asked)
{
    struct line *out = c->out;
    if (!IS(c, "{\"source\":\"") || !plain(c, SLOT_SOURCE_IP, HEX, MAX_ADDRESS, &out->source_ip) ||
        !IS(c, ",\"destination\":\"") || !plain(c, SLOT_DESTINATION_IP, HEX, MAX_ADDRESS, &out->destination_ip))
        return 0;
    if (asked->both)
        asked->both(asked->who, out->source_ip, out->destination_ip);
    return (IS(c, ",\"ipVersion\":\"IPv4\"}") || IS(c, ",\"ipVersion\":\"IPv6\"}") || IS(c, "}"));
}

static int macs(struct cursor *c)
{
    return IS(c, "{\"source\":\"") && plain(c, SLOT_SOURCE_MAC, HEX, MAX_MAC, NULL) && IS(c, ",\"destination\":\"") &&
           plain(c, SLOT_DESTINATION_MAC, HEX, MAX_MAC, NULL) && IS(c, "}");
}

static int transport(struct cursor *c)
{
    const char *begin = c->at;
    if (IS(c, "{\"TCP\":{\"source_port\":") || IS(c, "{\"UDP\":{\"source_port\":") ||
        IS(c, "{\"SCTP\":{\"source_port\":")) {
        if (!port(c, SLOT_SOURCE_PORT, &c->out->source_port) || !IS(c, ",\"destination_port\":") ||
            !port(c, SLOT_DESTINATION_PORT, &c->out->destination_port))
            return 0;
        if (IS(c, ",\"flags\":") && (*c->at != '{' || !skip_value(c)))
            return 0;
        return IS(c, "}}");
    }
    /* ICMP, or a form that whoever reads the whole of it has to tell. */
    c->at = begin;
    return skip_value(c);
}

/* An end's object as a slot, and its number where `known` has it. */
static int endpoint(struct cursor *c, enum slot slot, const struct asked *asked, struct span ip, struct span *out,
                    int *number)
{
    /* Without an address before it, ends are not told apart. */
    if (!ip.at || *c->at != '{' || !open_slot(c, slot))
        return 0;
    const char *begin = c->at;
    size_t size = asked->end(asked->who, ip, begin, (size_t)(c->end - begin), number);
    if (size)
        c->at = begin + size;
    else if (!skip_value(c))
        return 0;
    out->at = begin;
    out->size = (size_t)(c->at - begin);
    close_slot(c);
    return 1;
}

/* A string of characters that need no escape, whose opening quote is at hand. */
static int plain_string(struct cursor *c, struct span *out)
{
    if (*c->at != '"')
        return 0;
    const char *begin = ++c->at;
    while (*c->at >= ' ' && *c->at <= '~' && *c->at != '"' && *c->at != '\\')
        c->at++;
    out->at = begin;
    out->size = (size_t)(c->at - begin);
    return IS(c, "\"");
}

/* ["kubernetes.io/os=linux","..."] */
static int plain_strings(struct cursor *c, struct span *out)
{
    struct span one;
    out->at = c->at;
    if (!IS(c, "["))
        return 0;
    do {
        if (!plain_string(c, &one))
            return 0;
    } while (IS(c, ","));
    if (!IS(c, "]"))
        return 0;
    out->size = (size_t)(c->at - out->at);
    return 1;
}

/* Past a value that tells the node, which is noted. */
static int of_node(struct cursor *c, enum slot slot)
{
    struct line *out = c->out;
    struct cursor here = *c;
    struct span value;
    int plain = slot == SLOT_NODE_LABELS
                    ? plain_strings(&here, &value)
                    : plain_string(&here, &value) && value.size && value.size <= MAX_NODE_NAME;
    for (int i = 0; i < out->node_count; i++)
        plain &= out->nodes[i].slot != slot;
    if (!plain || out->node_count < 0) {
        out->node_count = -1;
        return skip_value(c);
    }
    out->nodes[out->node_count++] = (struct piece){value, slot};
    c->at = here.at;
    return 1;
}

static int flow_field(struct cursor *c, struct span key, const struct asked *asked, struct span *time)
{
    struct line *out = c->out;
    switch (key.size) {
    case 2:
        if (key_is(key, "l7"))
            return request(c);
        if (key_is(key, "IP"))
            return addresses(c, asked);
        /* Of two the last counts, which need not have slots. */
        if (key_is(key, "l4"))
            return !out->has_transport++ && transport(c);
        break;
    case 4:
        if (key_is(key, "time"))
            return time_slot(c, SLOT_TIME, time);
        if (key_is(key, "uuid"))
            return *c->at++ == '"' && plain(c, SLOT_UUID, HEX, MAX_UUID, NULL);
        break;
    case 6:
        if (key_is(key, "source"))
            return endpoint(c, SLOT_SOURCE, asked, out->source_ip, &out->source, &out->source_number);
        break;
    case 7:
        /* Of a request, which it repeats; others have few, and stay where known lines are found at once. */
        if (key_is(key, "Summary") && has_slot(out, SLOT_L7))
            return summary(c);
        break;
    case 8:
        if (key_is(key, "ethernet"))
            return macs(c);
        break;
    case 9:
        if (key_is(key, "node_name"))
            return of_node(c, SLOT_NODE);
        break;
    case 11:
        if (key_is(key, "node_labels"))
            return of_node(c, SLOT_NODE_LABELS);
        if (key_is(key, "destination"))
            return endpoint(c, SLOT_DESTINATION, asked, out->destination_ip, &out->destination,
                            &out->destination_number);
        break;
    }
    return skip_value(c);
}

/* Put the last piece behind the others. */
static int closed(struct cursor *c, const char *end)
{
    struct line *out = c->out;
    if (out->count == MAX_PIECES)
        return 0;
    out->pieces[out->count].text.at = c->piece;
    out->pieces[out->count].text.size = (size_t)(end - c->piece);
    out->pieces[out->count].slot = SLOT_NONE;
    out->count++;
    return 1;
}

/* Suppose that what is left of a line has no slot but the time of its wrapper, and ask whether such a line is known.
   Walking is by the bytes alone: where they are those of a line that was walked, it would come to the same. */
static int goes_on_as_known(const struct cursor *here, int bare, struct span time, const struct asked *asked)
{
    struct cursor c = *here;
    int count = c.out->count;
    /* "...Z"} */
    size_t behind = time.size + 2;
    if (!bare) {
        if ((size_t)(c.end - c.at) < behind)
            return 0;
        c.at = c.end - behind;
        if (memcmp(c.at, time.at, time.size) != 0 || !open_slot(&c, SLOT_OUTER_TIME))
            return 0;
        c.at += time.size;
        close_slot(&c);
    }
    if (closed(&c, c.end) && asked->rest(asked->who, c.out))
        return 1;
    c.out->count = count;
    return 0;
}

int walk(const char *begin, const char *end, int bare, const struct asked *asked, struct line *out)
{
    struct cursor c = {begin, end, begin, out};
    struct span key, time = {NULL, 0}, outer = {NULL, 0};

    out->count = 0;
    out->source_ip.at = out->destination_ip.at = out->source.at = out->destination.at = NULL;
    out->source_port = out->destination_port = 0;
    out->has_transport = 0;
    out->node_count = 0;
    out->query.at = NULL;
    out->query.size = 0;
    out->answer_count = 0;
    out->ttl = -1;
    int ask = asked->rest != NULL;
    if (!(bare ? IS(&c, "{\"") : IS(&c, "{\"flow\":{\"")))
        return 0;
    for (;;) {
        if (!key_of(&c, &key) || !flow_field(&c, key, asked, &time))
            return 0;
        if (ask && out->source.at && out->destination.at && time.at) {
            if (time_of(time.at, time.size, &out->time) && goes_on_as_known(&c, bare, time, asked))
                return 1;
            /* It was asked once: each time costs what the line is long. */
            ask = 0;
        }
        if (IS(&c, ",\""))
            continue;
        if (IS(&c, "}"))
            break;
        return 0;
    }
    while (!bare && !IS(&c, "}")) {
        if (!IS(&c, ",\"") || !key_of(&c, &key) || key_is(key, "flow"))
            return 0;
        if (!(key_is(key, "time")        ? time_slot(&c, SLOT_OUTER_TIME, &outer)
              : key_is(key, "node_name") ? of_node(&c, SLOT_OUTER_NODE)
                                         : skip_value(&c)))
            return 0;
    }
    /* A wrapper repeats the time of its flow. */
    if (outer.at && (!time.at || outer.size != time.size || memcmp(outer.at, time.at, time.size) != 0))
        return 0;
    if (!time.at || !out->source.at || !out->destination.at || !time_of(time.at, time.size, &out->time))
        return 0;
    /* Nothing stands behind it but the end of a line of Windows. */
    return (c.at == end || (c.at == end - 1 && *c.at == '\r')) && closed(&c, end);
}

int node_apart(const struct line *line, struct line *out, struct span *node)
{
    const struct piece *next = line->nodes, *behind = next + line->node_count;
    node->at = NULL;
    if (line->node_count < 1 || line->count + line->node_count > MAX_PIECES)
        return 0;
    *out = *line;
    out->count = 0;
    for (int i = 0; i < line->count; i++) {
        struct piece piece = line->pieces[i];
        while (next < behind && next->text.at >= piece.text.at && next->text.at < piece.text.at + piece.text.size) {
            const char *value_end = next->text.at + next->text.size;
            size_t left = (size_t)(piece.text.at + piece.text.size - value_end);
            piece.text.size = (size_t)(next->text.at - piece.text.at);
            out->pieces[out->count++] = (struct piece){piece.text, next->slot};
            piece.text = (struct span){value_end, left};
            if (next->slot == SLOT_NODE)
                *node = next->text;
            next++;
        }
        out->pieces[out->count++] = piece;
    }
    return next == behind && node->at;
}
