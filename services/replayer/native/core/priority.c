#define _GNU_SOURCE
#include "priority.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include "monotonic.h"

#define ORDINARY_NICE (-20)
/* Shorter than the second in which the kernel allows 950 ms, so that it never has to hold the thread back itself. */
#define REALTIME_PERIOD (900 * NS_PER_MS)
#define SLEEP_MIN (30 * NS_PER_MS) /* less in a period ends it */
#define ORDINARY_PERIOD (100 * NS_PER_MS)

static bool set_class(int policy, int level) {
    struct sched_param parameter = {.sched_priority = level};
    return pthread_setschedparam(pthread_self(), policy, &parameter) == 0;
}

bool priority_allowed(void) {
    int policy;
    struct sched_param before;
    if (pthread_getschedparam(pthread_self(), &policy, &before) != 0) return false;
    bool allowed = set_class(SCHED_FIFO, sched_get_priority_min(SCHED_FIFO));
    if (allowed) pthread_setschedparam(pthread_self(), policy, &before);
    return allowed;
}

void priority_init(struct priority *priority, bool realtime, int64_t now) {
    if (realtime) setpriority(PRIO_PROCESS, (id_t)gettid(), ORDINARY_NICE); /* may be refused, like the next */
    priority->allowed = realtime && set_class(SCHED_FIFO, sched_get_priority_min(SCHED_FIFO));
    atomic_store(&priority->realtime, priority->allowed);
    priority->period_end = now + REALTIME_PERIOD;
}

void priority_follow(struct priority *priority, int64_t now, int64_t slept) {
    if (!priority->allowed || now < priority->period_end) return;
    int64_t sleep = slept - priority->slept_before;
    priority->slept_before = slept;
    bool realtime = atomic_load_explicit(&priority->realtime, memory_order_relaxed);
    if (!realtime) {
        realtime = set_class(SCHED_FIFO, sched_get_priority_min(SCHED_FIFO));
    } else if (sleep < SLEEP_MIN) {
        realtime = !set_class(SCHED_OTHER, 0);
        atomic_fetch_add(&priority->yielded, 1);
    }
    atomic_store(&priority->realtime, realtime);
    priority->period_end = now + (realtime ? REALTIME_PERIOD : ORDINARY_PERIOD);
}
