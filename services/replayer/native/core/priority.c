#define _GNU_SOURCE
#include "priority.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include "monotonic.h"

#define ORDINARY_NICE (-20)
#define PERIOD (200 * NS_PER_MS)
/* Sleeping less than the first in a period ends the real-time class, more than the second brings it back. */
#define SLEEP_MIN (30 * NS_PER_MS)
#define SLEEP_ENOUGH (60 * NS_PER_MS)

static bool set_class(int policy, int level) {
    struct sched_param parameter = {.sched_priority = level};
    return pthread_setschedparam(pthread_self(), policy, &parameter) == 0;
}

void priority_init(struct priority *priority, bool realtime, int64_t now) {
    setpriority(PRIO_PROCESS, (id_t)gettid(), ORDINARY_NICE); /* may be refused, like the next */
    priority->allowed = realtime && set_class(SCHED_FIFO, sched_get_priority_min(SCHED_FIFO));
    atomic_store(&priority->realtime, priority->allowed);
    priority->period_end = now + PERIOD;
}

void priority_follow(struct priority *priority, int64_t now, int64_t slept) {
    if (!priority->allowed || now < priority->period_end) return;
    int64_t sleep = slept - priority->slept_before;
    priority->slept_before = slept;
    priority->period_end = now + PERIOD;
    bool realtime = atomic_load_explicit(&priority->realtime, memory_order_relaxed);
    if (realtime && sleep < SLEEP_MIN) {
        set_class(SCHED_OTHER, 0);
        atomic_store(&priority->realtime, false);
        atomic_fetch_add(&priority->yielded, 1);
    } else if (!realtime && sleep > SLEEP_ENOUGH) {
        atomic_store(&priority->realtime, set_class(SCHED_FIFO, sched_get_priority_min(SCHED_FIFO)));
    }
}
