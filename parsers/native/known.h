/* What a scanner was taught: ends by address and bytes, kinds by the rest of a line, ends with services. */

#ifndef FLOWDIAG_KNOWN_H
#define FLOWDIAG_KNOWN_H

#include "guard.h"
#include "walk.h"

/* Numbers of ends: those of which nothing but the address is known have the bit. */
enum { BARE_BIT = 1 << 30, UNKNOWN = -1 };

/* An end's object, which stays where it is for as long as its owner is not released. */
struct end {
    struct span object;
    void *owner;
    int32_t number;
    int bare; /* nothing but the address is known of it */
};

/* What the rest of a line comes to. */
struct kind {
    uint64_t hash;
    uint32_t rest, parts; /* where in `rests` it begins, and of how many parts it is */
    int32_t number;
    int32_t source_service, destination_service; /* -1 for none */
    uint16_t flags;
    uint8_t turned;
    uint8_t ports[2]; /* their classes */
};

/* Where records are counted one by one; numbers as whoever counts them has them, 0 for no port. */
struct lane {
    int32_t source, destination, port, kind, number;
};

/* Open addressing: a slot holds the place of an entry and one, 0 for none. */
struct table {
    uint32_t *slots;
    uint32_t mask, used;
};

struct known {
    struct chunk *chunks; /* of text, the newest first */
    size_t text_bytes, object_bytes;
    struct address *addresses;
    struct part *parts;
    struct kind *kinds;
    struct served *servings;
    struct lane *lanes;
    uint32_t *rests; /* parts with what stands behind each */
    uint32_t address_room, part_room, kind_room, serving_room, lane_room, rests_used, rests_room;
    struct table by_ip, by_text, by_rest, by_service, by_lane;
    uint8_t port_class[65536];
    uint64_t seed; /* so that names stand in one another's way by chance; by choice they cost MAX_PROBES at most */
    int full;      /* there is no room for more */
    struct guard guard;
};

/* Begin with all zeroes but the seed and the classes.  `release` is called for the owner of each end's object. */
void forgotten(struct known *known, void (*release)(void *owner));

/* As `walk`, with the ends that are known. */
int walk_known(struct known *known, const char *begin, const char *end, int bare, struct line *line);

/* How long the object is that is known to stand here for an address, NULL for one that is not known, and its number; 0
   where none is. */
size_t find_end(const struct address *address, const char *at, size_t room, int *number);

/* What is known of an address, NULL for nothing. */
struct address *address_of(struct known *known, struct span ip);

/* Both at once, and have what they lead to brought near. */
void addresses_of(struct known *known, const struct span ips[2], struct address *found[2]);

/* The kind of a line's rest, NULL where it was not taught. */
struct kind *find_kind(struct known *known, const struct line *line);

/* The number of an end with a service, the end's own where `service` is -1; -1 where it was not taught. */
int32_t find_served(struct known *known, int32_t number, int32_t service);

/* The lane of such records; -1 where it was not taught. */
int32_t find_lane(struct known *known, int32_t source, int32_t destination, int32_t port, int32_t kind);

/* Take in what was not known; 0 where there is no room.  `gone` is the owner of what made room, to be released. */
int learn_end(struct known *known, struct span ip, struct end end, void **gone);
int learn_kind(struct known *known, const struct line *line, struct kind kind);
void learn_served(struct known *known, int32_t number, int32_t service, int32_t result);
void learn_lane(struct known *known, struct lane lane);

#endif
