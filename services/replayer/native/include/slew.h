/*
 * How due times follow a clock that runs at another rate than CLOCK_MONOTONIC: each is moved by an amount that grows or
 * shrinks evenly with time, so that nothing ever jumps and order is kept. A new course takes effect at an instant that
 * lies ahead; what is due before it keeps the old one. It is a pure function of what it is told.
 */
#ifndef CAPFLEET_SLEW_H
#define CAPFLEET_SLEW_H

#include <stdint.h>

#define SLEW_MOST_PPB 1000000 /* twice what a kernel slews its own clock by */

struct slew_leg {
    int64_t since;
    double shift; /* ns, at `since` */
    double rate;  /* ns per ns */
};

/* All zero: no shift at all. */
struct slew {
    struct slew_leg before;
    struct slew_leg after;
};

/* From `since` on heads for a shift of `shift` at `at`, as fast as SLEW_MOST_PPB allows, and keeps that rate. */
void slew_steer(struct slew *slew, int64_t since, int64_t at, int64_t shift);
/* The shift of what is due at `due`, ns. */
int64_t slew_at(const struct slew *slew, int64_t due);

#endif
