/*
 * How often this host takes a processor away: a real-time thread on each does nothing but read the clock.
 *
 *   absences SECONDS LEAST_US
 *
 * Prints one JSON document: how often a processor was gone for at least so long, for how long in all, and at most.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "monotonic.h"

/* The kernel wants a share of each second back from real-time threads; what is slept is not counted. */
#define WATCH (20 * NS_PER_MS)
#define REST (2 * NS_PER_MS)
#define PROCESSORS_MAX 64

struct watch {
    pthread_t thread;
    int processor;
    int64_t until;
    int64_t least;
    int64_t count, total, longest;
};

static void *watching(void *argument) {
    struct watch *watch = argument;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(watch->processor, &set);
    pthread_setaffinity_np(pthread_self(), sizeof set, &set);
    struct sched_param parameter = {.sched_priority = 1};
    pthread_setschedparam(pthread_self(), SCHED_FIFO, &parameter);
    int64_t before = monotonic_now();
    int64_t rest_at = before + WATCH;
    while (before < watch->until) {
        int64_t now = monotonic_now();
        if (now - before >= watch->least) {
            watch->count++;
            watch->total += now - before;
            if (now - before > watch->longest) watch->longest = now - before;
        }
        if (now >= rest_at) {
            struct timespec pause = ns_to_timespec(REST);
            nanosleep(&pause, NULL);
            now = monotonic_now();
            rest_at = now + WATCH;
        }
        before = now;
    }
    return NULL;
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    static struct watch watches[PROCESSORS_MAX];
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    sched_getaffinity(0, sizeof allowed, &allowed);
    int64_t until = monotonic_now() + (int64_t)(atof(argv[1]) * (double)NS_PER_S);
    int count = 0;
    for (int processor = 0; processor < CPU_SETSIZE && count < PROCESSORS_MAX; processor++) {
        if (!CPU_ISSET(processor, &allowed)) continue;
        watches[count] = (struct watch){.processor = processor, .until = until, .least = atoll(argv[2]) * NS_PER_US};
        pthread_create(&watches[count].thread, NULL, watching, &watches[count]);
        count++;
    }
    struct watch all = {0};
    for (int i = 0; i < count; i++) {
        pthread_join(watches[i].thread, NULL);
        all.count += watches[i].count;
        all.total += watches[i].total;
        if (watches[i].longest > all.longest) all.longest = watches[i].longest;
    }
    printf("{\"processors\": %d, \"count\": %lld, \"totalNs\": %lld, \"longestNs\": %lld}\n", count, (long long)all.count,
           (long long)all.total, (long long)all.longest);
    return 0;
}
