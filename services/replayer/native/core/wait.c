#define _GNU_SOURCE
#include "wait.h"

#include <sched.h>

#include "monotonic.h"

#define SLICE (25 * NS_PER_MS) /* how long a stop may go unseen */
#define OWN 50000              /* ns before the instant that belong to this thread alone */

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
    wait->yields = false;
    margin_init(&wait->calibration);
    atomic_init(&wait->margin, first[spin]);
}

int64_t wait_margin(const struct wait *wait) {
    return atomic_load_explicit(&wait->margin, memory_order_relaxed);
}

static void calibrated(struct wait *wait) {
    if (wait->spin != WAIT_SPIN_AUTO) return;
    atomic_store_explicit(&wait->margin, wait->calibration.ns, memory_order_relaxed);
}

bool wait_until(struct wait *wait, int64_t due, const atomic_bool *stop) {
    int64_t begun = monotonic_now();
    int64_t now = begun;
    bool slept = false;
    while (due > now) {
        if (atomic_load_explicit(stop, memory_order_relaxed)) return false;
        int64_t margin = wait_margin(wait);
        if (due - now <= margin) {
            if (wait->yields && due - now > OWN)
                sched_yield();
            else
                relax();
            now = monotonic_now();
            continue;
        }
        int64_t target = due - now > SLICE + margin ? now + SLICE : due - margin;
        struct timespec until = ns_to_timespec(target);
        bool is_slice = target != due - margin;
        int interrupted = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
        int64_t woken = monotonic_now();
        wait->slept += woken - now;
        now = woken;
        slept = true;
        if (interrupted) continue;
        margin_woke(&wait->calibration, now - target);
        calibrated(wait);
        if (is_slice) return false;
    }
    if (!slept) {
        margin_spun(&wait->calibration, now - begun);
        calibrated(wait);
    }
    return !atomic_load_explicit(stop, memory_order_relaxed);
}
