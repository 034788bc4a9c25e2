/* One line of a Hubble export, taken apart into what differs from record to record (slots) and all the rest.

   Format: api/v1/flow/flow.proto and api/v1/observer/observer.proto as protojson writes them without white
   space, Cilium 1.10 to 1.20; a real line's beginning and end:

   {"flow":{"time":"2025-07-15T01:30:19.361221854Z","uuid":"7b1a...","verdict":"FORWARDED","ethernet":{...},
   "IP":{"source":"10.0.1.7","destination":"10.0.2.9","ipVersion":"IPv4"},"l4":{"TCP":{"source_port":40112,
   "destination_port":8080,"flags":{"SYN":true}}},"source":{...},"destination":{...},"Type":"L3_L4",...},
   "node_name":"kind-worker","time":"2025-07-15T01:30:19.361221854Z"}

   A request or answer (l7), and the summary that repeats it, are slots too: nothing of them matters but DNS answers.

   Two lines with the same rest, slots of the grammar below in the same places, and the same bytes for each end, are
   the same JSON but for the slots: where one was valid, so is the other. */

#ifndef FLOWDIAG_WALK_H
#define FLOWDIAG_WALK_H

#include <stddef.h>
#include <stdint.h>

enum { MAX_PIECES = 24, MAX_ANSWERS = 16, MAX_NODES = 3 };

/* What stands behind a piece of the rest. */
enum slot {
    SLOT_NONE,
    SLOT_TIME,
    SLOT_OUTER_TIME,
    SLOT_UUID,
    SLOT_SOURCE_MAC,
    SLOT_DESTINATION_MAC,
    SLOT_SOURCE_IP,
    SLOT_DESTINATION_IP,
    SLOT_SOURCE_PORT,
    SLOT_DESTINATION_PORT,
    SLOT_SOURCE,
    SLOT_DESTINATION,
    SLOT_L7,
    SLOT_SUMMARY,
    /* Of `node_apart` only: a rest that is known of one node is known of another but for what it counts as there. */
    SLOT_NODE,
    SLOT_NODE_LABELS,
    SLOT_OUTER_NODE,
};

struct span {
    const char *at;
    size_t size;
};

struct piece {
    struct span text;
    enum slot slot;
};

struct line {
    int64_t time; /* nanoseconds */
    struct span source_ip, destination_ip;
    struct span source, destination;             /* the ends' objects */
    int32_t source_port, destination_port;       /* 0 for none */
    int source_number, destination_number;       /* what `known_end` gave */
    struct span query;                           /* of a DNS request or answer */
    struct span answers[MAX_ANSWERS];            /* its addresses */
    int answer_count;
    int has_transport;
    int64_t ttl; /* seconds, -1 for none */
    struct piece pieces[MAX_PIECES];
    int count;
    struct piece nodes[MAX_NODES]; /* what tells the node, in order: values and which they are; each lies in one piece */
    int node_count;                /* -1 where they are of no form that is taken */
};

/* Says how long the known object is that stands here for an address, and its number; 0 where none is known. */
typedef size_t (*known_end)(void *who, struct span ip, const char *at, size_t room, int *number);

/* Says whether a line is known whose rest is that of `line` so far; then nothing more of it is looked at. */
typedef int (*known_rest)(void *who, struct line *line);

/* Hears which addresses a line tells, before it asks for what stands for them. */
typedef void (*known_both)(void *who, struct span source, struct span destination);

/* What is asked on the way. */
struct asked {
    known_end end;
    known_rest rest; /* or NULL */
    known_both both; /* or NULL */
    void *who;
};

/* Take [begin, end) apart, where `end` is the place of its newline, which can be read.
   Returns 0 for a line of any other form.  `rest`, if any, is asked once both ends are found: where it knows a line
   that goes on like this one, this one goes on like that. */
int walk(const char *begin, const char *end, int bare, const struct asked *asked, struct line *out);

/* The same line with slots for what tells the node, and the node's name; 0 where it tells none, or two.  For lines that
   were walked to their end. */
int node_apart(const struct line *line, struct line *out, struct span *node);

#endif
