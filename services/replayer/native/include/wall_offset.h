/*
 * How far the wall clock is ahead of CLOCK_MONOTONIC: one reading of CLOCK_REALTIME between two of the other, the
 * narrowest of several. The distance stays the same as long as nobody sets the wall clock, because whoever disciplines
 * it steers both.
 */
#ifndef CAPFLEET_WALL_OFFSET_H
#define CAPFLEET_WALL_OFFSET_H

#include <stdint.h>

struct wall_offset {
    int64_t offset; /* CLOCK_REALTIME − CLOCK_MONOTONIC, ns … */
    int64_t bound;  /* … ± ns: half the time between the two readings */
};

/* What is known before the first reading. */
#define WALL_OFFSET_UNKNOWN ((struct wall_offset){.offset = 0, .bound = INT64_MAX})

/* Keeps the narrowest of what is known and one more reading. */
void wall_offset_take(struct wall_offset *known, int64_t before, int64_t wall, int64_t after);
/* The narrowest of so many readings, at least one; each takes well below a microsecond. */
struct wall_offset wall_offset_read(int readings);

#endif
