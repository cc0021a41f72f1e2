/*
 * Waits for an absolute CLOCK_MONOTONIC instant: sleeps until a margin before it, then spins. Where several real-time
 * threads share a processor, one that spins would hold up the others, which are due as well: `yields` lets them in, up to
 * the last 50 us. In the ordinary class that would cost a whole slice. The margin follows the wake-up overshoot
 * seen on this host while running (margin.h), so a quiet machine spins little and a noisy one is not late.
 * It promises to look at the stop flag at least every 50 ms, to return to its caller as often, and to use next to no CPU
 * while the instant is far off.
 *
 * Threads: a wait belongs to one thread; its margin may be read from any.
 */
#ifndef CAPFLEET_WAIT_H
#define CAPFLEET_WAIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "margin.h"

enum wait_spin {
    WAIT_SPIN_NONE, /* sleep only: late by the wake-up overshoot, cheapest */
    WAIT_SPIN_AUTO, /* the calibrated margin */
    WAIT_SPIN_MAX,  /* always the widest margin */
};

struct wait {
    enum wait_spin spin;
    struct margin calibration; /* of WAIT_SPIN_AUTO */
    _Atomic int64_t margin;    /* ns */
    int64_t slept;             /* ns in all */
    bool yields;               /* gives way to others of its class while it spins; set by its owner */
};

void wait_init(struct wait *wait, enum wait_spin spin);
/* True at or after due; false as soon as stop is seen, and now and then while due is far off. */
bool wait_until(struct wait *wait, int64_t due, const atomic_bool *stop);
int64_t wait_margin(const struct wait *wait);

#endif
