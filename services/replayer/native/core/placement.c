#define _GNU_SOURCE
#include "placement.h"

#include <errno.h>
#include <sched.h>

static int move_to(int cpu) {
    if (cpu < 0 || cpu >= CPU_SETSIZE) return EINVAL;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    return sched_setaffinity(0, sizeof set, &set) < 0 ? errno : 0;
}

int placement_check(int cpu) {
    cpu_set_t before;
    if (sched_getaffinity(0, sizeof before, &before) < 0) return errno;
    int error = move_to(cpu);
    sched_setaffinity(0, sizeof before, &before);
    return error;
}

void placement_apply(int cpu) {
    if (cpu != PLACEMENT_ANY) move_to(cpu);
}
