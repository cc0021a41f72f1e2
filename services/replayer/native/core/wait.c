#define _GNU_SOURCE
#include "wait.h"

#include "monotonic.h"

#define MARGIN_MIN (20 * NS_PER_US)
#define MARGIN_MAX (1 * NS_PER_MS)
#define MARGIN_FIRST (100 * NS_PER_US)
#define SLICE (25 * NS_PER_MS) /* how long a stop may go unseen */

static int64_t clamp(int64_t value, int64_t low, int64_t high) {
    return value < low ? low : value > high ? high : value;
}

static inline void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield");
#endif
}

void wait_init(struct wait *wait, enum wait_spin spin) {
    static const int64_t first[] = {
        [WAIT_SPIN_NONE] = 0, [WAIT_SPIN_AUTO] = MARGIN_FIRST, [WAIT_SPIN_MAX] = MARGIN_MAX};
    wait->spin = spin;
    wait->slept = 0;
    atomic_init(&wait->margin, first[spin]);
}

int64_t wait_margin(const struct wait *wait) {
    return atomic_load_explicit(&wait->margin, memory_order_relaxed);
}

/*
 * Tracks the 99th percentile of the overshoot: a step up for each wake-up later than the margin, a hundredth of it down
 * for each in time. One wild sample is one step, however wild.
 */
static void calibrate(struct wait *wait, int64_t overshoot) {
    if (wait->spin != WAIT_SPIN_AUTO) return;
    int64_t margin = wait_margin(wait);
    margin += overshoot > margin ? margin / 4 : -margin / 400;
    atomic_store_explicit(&wait->margin, clamp(margin, MARGIN_MIN, MARGIN_MAX), memory_order_relaxed);
}

bool wait_until(struct wait *wait, int64_t due, const atomic_bool *stop) {
    int64_t now = monotonic_now();
    while (due > now) {
        if (atomic_load_explicit(stop, memory_order_relaxed)) return false;
        int64_t margin = wait_margin(wait);
        if (due - now <= margin) {
            relax();
            now = monotonic_now();
            continue;
        }
        int64_t target = due - now > SLICE + margin ? now + SLICE : due - margin;
        struct timespec until = ns_to_timespec(target);
        int interrupted = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
        int64_t woken = monotonic_now();
        wait->slept += woken - now;
        now = woken;
        if (!interrupted) calibrate(wait, now - target);
    }
    return !atomic_load_explicit(stop, memory_order_relaxed);
}
