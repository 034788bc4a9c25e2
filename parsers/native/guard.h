/* Who teaches and who scans take turns: what is known is looked at by a thread while another adds to it. */

#ifndef FLOWDIAG_GUARD_H
#define FLOWDIAG_GUARD_H

#ifdef _WIN32 /* where nobody scans ahead; see ahead.c */

struct guard {
    int nobody;
};

static inline void begin_scanning(struct guard *guard) { (void)guard; }
static inline void end_scanning(struct guard *guard) { (void)guard; }
static inline void begin_teaching(struct guard *guard) { (void)guard; }
static inline void end_teaching(struct guard *guard) { (void)guard; }
static inline void let_go(struct guard *guard) { (void)guard; }

#else

#include <sched.h>
#include <stdatomic.h>

/* Begin with zeroes.  Both hold it for a line's time, about a microsecond, so that nobody sleeps for it. */
struct guard {
    atomic_int held;
    atomic_int wanted; /* somebody teaches: scanning can wait, and would be there first again and again */
};

enum { SPINS = 100 }; /* then whoever holds it is not running, and wants the core */

static inline void held_alone(struct guard *guard)
{
    for (int spins = 0; atomic_exchange_explicit(&guard->held, 1, memory_order_acquire); spins++)
        if (spins >= SPINS)
            sched_yield();
}

static inline void begin_scanning(struct guard *guard)
{
    for (int spins = 0; atomic_load_explicit(&guard->wanted, memory_order_relaxed); spins++)
        if (spins >= SPINS)
            sched_yield();
    held_alone(guard);
}

static inline void end_scanning(struct guard *guard)
{
    atomic_store_explicit(&guard->held, 0, memory_order_release);
}

static inline void begin_teaching(struct guard *guard)
{
    atomic_store_explicit(&guard->wanted, 1, memory_order_relaxed);
    held_alone(guard);
}

static inline void end_teaching(struct guard *guard)
{
    atomic_store_explicit(&guard->wanted, 0, memory_order_relaxed);
    end_scanning(guard);
}

/* For a fork, which has no thread that could. */
static inline void let_go(struct guard *guard)
{
    end_teaching(guard);
}

#endif

#endif
