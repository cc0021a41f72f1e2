/*
 * The one clock of the native core: CLOCK_MONOTONIC as signed nanoseconds.
 * Wall-clock time appears only in the file link, which stamps what it writes, and in its distance (wall_offset.h).
 */
#ifndef CAPFLEET_MONOTONIC_H
#define CAPFLEET_MONOTONIC_H

#include <stdint.h>
#include <time.h>

#define NS_PER_US INT64_C(1000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)

static inline int64_t timespec_to_ns(struct timespec t) {
    return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

/* ns must not be negative. */
static inline struct timespec ns_to_timespec(int64_t ns) {
    return (struct timespec){.tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S};
}

static inline int64_t monotonic_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return timespec_to_ns(t);
}

#endif
