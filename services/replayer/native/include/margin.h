/*
 * How long before an instant to stop sleeping, learned from the wake-ups of this host while running: the margin
 * covers all but about one in a hundred of them. A wake-up that comes later than the margin allows for widens it by a
 * quarter, one soon after another doubles it, so that a host that turns noisy costs a handful of late frames; each
 * in time narrows it by a 400th. A single wild wake-up is one step, however wild. Where frames are so dense that
 * nothing sleeps, nothing is learned either: time spent so narrows the margin too, or one noisy moment would be
 * paid for by spinning to the end of the run. It is a pure function of what it is told.
 */
#ifndef CAPFLEET_MARGIN_H
#define CAPFLEET_MARGIN_H

#include <stdint.h>

#define MARGIN_MIN INT64_C(20000)   /* ns */
#define MARGIN_MAX INT64_C(1000000) /* ns */
#define MARGIN_FIRST INT64_C(100000)

struct margin {
    int64_t ns;
    int64_t spun;   /* without sleeping, since the margin was last narrowed for it */
    unsigned calm;  /* wake-ups in time since the last late one */
};

void margin_init(struct margin *margin);
/* A sleep ended overshoot ns after the instant it was to end at. */
void margin_woke(struct margin *margin, int64_t overshoot);
/* A wait of that many ns was all spinning, because it was no longer than the margin. */
void margin_spun(struct margin *margin, int64_t ns);

#endif
