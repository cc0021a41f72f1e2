/*
 * The scheduling class of the pacing thread. Where the system allows it the thread is real-time (SCHED_FIFO at the
 * lowest priority), so that it runs the moment its sleep ends, whatever else wants the processor. A real-time thread
 * that never sleeps would starve its host until the kernel holds it back. So the time that it sleeps is watched: after
 * a second with too little of it the thread goes to the ordinary class, at nice -20, for a tenth of a second. It
 * promises nothing where neither is allowed.
 *
 * Threads: a priority belongs to the thread it is about; `realtime` and `yielded` may be read from any.
 */
#ifndef CAPFLEET_PRIORITY_H
#define CAPFLEET_PRIORITY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct priority {
    bool allowed;
    int64_t period_end;
    int64_t slept_before; /* in all, at the period's start */
    atomic_bool realtime;
    _Atomic int64_t yielded; /* times that it went back to the ordinary class */
};

/* Whether a thread of this process may be real-time; the calling one stays what it is. */
bool priority_allowed(void);
/* Sets the class of the calling thread. */
void priority_init(struct priority *priority, bool realtime, int64_t now);
/* To be called often; acts a few times a second. `slept`: ns that the thread has slept in all. */
void priority_follow(struct priority *priority, int64_t now, int64_t slept);

#endif
