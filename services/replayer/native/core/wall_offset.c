#include "wall_offset.h"

#include <time.h>

#include "monotonic.h"

void wall_offset_take(struct wall_offset *known, int64_t before, int64_t wall, int64_t after) {
    int64_t bound = (after - before + 1) / 2;
    if (bound >= known->bound) return;
    *known = (struct wall_offset){.offset = wall - (before + (after - before) / 2), .bound = bound};
}

struct wall_offset wall_offset_read(int readings) {
    struct wall_offset known = WALL_OFFSET_UNKNOWN;
    for (int i = 0; i < readings; i++) {
        struct timespec wall;
        int64_t before = monotonic_now();
        clock_gettime(CLOCK_REALTIME, &wall);
        wall_offset_take(&known, before, timespec_to_ns(wall), monotonic_now());
    }
    return known;
}
