#define _GNU_SOURCE
#include "pacer.h"

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "histogram.h"
#include "monotonic.h"
#include "placement.h"
#include "priority.h"
#include "slew.h"

#define THREAD_NAME "capfleet-pacer" /* 15 bytes at most */
#define THREAD_STACK ((size_t)256 << 10)

/* How long to look away from an empty ring: doubled each time nothing is there. */
#define NAP_MIN (50 * NS_PER_US)
#define NAP_MAX (1 * NS_PER_MS)

/* While paused: how long to sleep at a time, and after what time the timeline goes on, so that nothing is late then. */
#define REST (5 * NS_PER_MS)
#define RESUME_LEAD (20 * NS_PER_MS)

/* Before a due time; no stamps are read any more. */
#define STAMPS_GUARD (100 * NS_PER_US)

/* Records looked at between two publications of the tail. */
#define GATHER_MAX LINK_BATCH_MAX

#define INSTANT_MAX (INT64_C(1) << 62)

struct batch {
    size_t count;
    struct link_frame frames[LINK_BATCH_MAX];
    int64_t dues[LINK_BATCH_MAX];
};

struct pacer {
    /* The owner's. */
    const struct link_operations *operations;
    struct link *link;
    bool open;
    bool started;
    pthread_t thread;
    bool holding;
    int64_t held_at;    /* the instant that the timeline stands still at */
    int64_t resumed_at; /* that it last went on at */

    /* Shared. */
    struct ring *ring;
    atomic_bool stop;
    atomic_bool paused;
    atomic_bool wake;        /* stop or paused: what ends a wait */
    _Atomic int64_t shift;   /* by all pauses so far */
    _Atomic int64_t lease;   /* nothing is sent from this instant on */
    _Atomic int64_t granted; /* when that was said */
    pthread_mutex_t steering;
    struct slew course;       /* under the lock */
    _Atomic unsigned courses; /* that there were so far */
    _Atomic int64_t stats[STAT_COUNT];
    struct histogram lateness;
    _Atomic clockid_t cpu_clock; /* the thread's, while running */

    /* The pacing thread's. */
    struct wait wait;
    struct priority priority;
    struct departure departure;
    bool realtime;
    int cpu;
    int64_t shifted; /* of the shift, what t0 and origin have in them */
    struct slew slew;
    unsigned course_taken;
    bool lapsed;        /* the lease has ended */
    int64_t lost_from;  /* what is due from here … */
    int64_t lost_until; /* … until here was missed while there was no lease */
    int64_t late_drop_ns;
    size_t max_batch;
    int64_t t0;
    int64_t origin; /* t0 and the latest origin record */
    struct ring_cursor cursor;
    int64_t visible_at; /* when the cursor's head was seen */
    bool starving;      /* since the ring was empty no frame has come in time */
    int64_t nap;        /* 0: the ring was not empty at the last look */
    struct batch batch;
};

static int64_t stat_get(const struct pacer *pacer, enum pacer_stat stat) {
    return atomic_load_explicit(&pacer->stats[stat], memory_order_relaxed);
}

/* Each statistic has one writer, so a load and a store are enough. */
static void stat_set(struct pacer *pacer, enum pacer_stat stat, int64_t value) {
    atomic_store_explicit(&pacer->stats[stat], value, memory_order_relaxed);
}

static void stat_add(struct pacer *pacer, enum pacer_stat stat, int64_t amount) {
    stat_set(pacer, stat, stat_get(pacer, stat) + amount);
}

static enum pacer_stat refusal(int error) {
    if (error == EMSGSIZE) return STAT_REFUSED_OVERSIZE;
    if (error == ENOBUFS || error == EAGAIN || error == ENOMEM) return STAT_REFUSED_NO_BUFFERS;
    if (link_is_down(error)) return STAT_REFUSED_LINK_DOWN;
    return STAT_REFUSED_OTHER;
}

static void account_sent(struct pacer *pacer, int64_t due, int64_t after, uint32_t bytes) {
    if (stat_get(pacer, STAT_SENT_PACKETS) == 0) {
        stat_set(pacer, STAT_FIRST_DUE, due);
        stat_set(pacer, STAT_FIRST_SENT, after);
    }
    stat_set(pacer, STAT_LAST_DUE, due);
    stat_set(pacer, STAT_LAST_SENT, after);
    histogram_record(&pacer->lateness, after - due);
    stat_add(pacer, STAT_SENT_BYTES, bytes);
    stat_add(pacer, STAT_SENT_PACKETS, 1);
}

static void account_refused(struct pacer *pacer, int error) {
    stat_set(pacer, STAT_LAST_ERRNO, error);
    stat_add(pacer, refusal(error), 1);
}

/* True if every frame of the batch was dealt with; not so only when stopping. */
static bool send_batch(struct pacer *pacer, int64_t now) {
    struct batch *batch = &pacer->batch;
    if (batch->count == 0) return true;
    departure_choose(&pacer->departure, batch->frames, batch->count, now);
    size_t dealt = pacer->operations->send_batch(pacer->link, batch->frames, batch->count, &pacer->stop);
    int64_t after = monotonic_now();
    for (size_t i = 0; i < dealt; i++) {
        const struct link_frame *frame = &batch->frames[i];
        if (frame->error == 0)
            account_sent(pacer, batch->dues[i], after, frame->length);
        else
            account_refused(pacer, frame->error);
    }
    departure_sent(&pacer->departure, batch->frames, batch->dues, dealt, after);
    stat_add(pacer, STAT_BATCHES, 1);
    return dealt == batch->count;
}

/* Instants stay within ±2^62 ns, 146 years, so that differences between them can't overflow. */
static bool add_ns(int64_t instant, int64_t ns, int64_t *out) {
    return !__builtin_add_overflow(instant, ns, out) && *out > -INSTANT_MAX && *out < INSTANT_MAX;
}

static bool due_of(const struct pacer *pacer, const struct ring_record *record, int64_t *out) {
    int64_t due;
    if (!(fabs(record->due) < (double)INSTANT_MAX)) return false; /* NaN too */
    if (!add_ns(pacer->origin, (int64_t)record->due, &due)) return false;
    *out = due;
    return pacer->course_taken == 0 || add_ns(due, slew_at(&pacer->slew, due), out);
}

static bool is_too_late(const struct pacer *pacer, int64_t due, int64_t now) {
    bool lost = due >= pacer->lost_from && due < pacer->lost_until;
    return lost || (pacer->late_drop_ns > 0 && now - due > pacer->late_drop_ns);
}

static bool take_origin(struct pacer *pacer, const struct ring_record *record) {
    int64_t origin;
    memcpy(&origin, record->payload, sizeof origin);
    return add_ns(pacer->t0, origin, &pacer->origin);
}

static void note_arrival(struct pacer *pacer, int64_t due) {
    pacer->nap = 0;
    if (!pacer->starving) return;
    if (due < pacer->visible_at)
        stat_add(pacer, STAT_STARVED_PACKETS, 1);
    else
        pacer->starving = false;
}

static enum ring_peek peek(struct pacer *pacer, int64_t now, struct ring_record *record) {
    uint64_t seen = pacer->cursor.head;
    enum ring_peek found = ring_peek(pacer->ring, &pacer->cursor, record);
    if (pacer->cursor.head != seen) pacer->visible_at = now;
    return found;
}

enum gathered {
    GATHERED_DUE,     /* a batch, empty if all it looked at was dropped or no frame */
    GATHERED_NOT_DUE, /* nothing before *next */
    GATHERED_EMPTY,
    GATHERED_ENDED,
    GATHERED_BAD,
};

/* Collects what is due now; the frames stay in the ring until its tail is moved past them. */
static enum gathered gather(struct pacer *pacer, int64_t now, int64_t *next) {
    struct batch *batch = &pacer->batch;
    batch->count = 0;
    for (size_t looked = 0; looked < GATHER_MAX && batch->count < pacer->max_batch; looked++) {
        struct ring_record record;
        enum ring_peek found = peek(pacer, now, &record);
        int64_t due = 0;
        if (found == RING_RECORD && record.kind == RING_ORIGIN) {
            if (!take_origin(pacer, &record)) found = RING_MALFORMED;
        } else if (found == RING_RECORD) {
            if (!due_of(pacer, &record, &due)) found = RING_MALFORMED;
        }
        if (found != RING_RECORD || due > now) {
            /* What was collected before this place goes out first. */
            if (looked > 0) break;
            if (found == RING_EMPTY) return GATHERED_EMPTY;
            if (found == RING_ENDED) return GATHERED_ENDED;
            if (found == RING_MALFORMED) return GATHERED_BAD;
            note_arrival(pacer, due);
            *next = due;
            return GATHERED_NOT_DUE;
        }
        pacer->cursor.position = record.end;
        if (record.kind == RING_ORIGIN) continue;
        note_arrival(pacer, due);
        if (is_too_late(pacer, due, now)) {
            stat_add(pacer, STAT_LATE_DROPPED, 1);
            continue;
        }
        batch->frames[batch->count] = (struct link_frame){.bytes = record.payload, .length = record.length};
        batch->dues[batch->count++] = due;
    }
    return GATHERED_DUE;
}

static void sleep_for(struct pacer *pacer, int64_t ns) {
    struct timespec pause = ns_to_timespec(ns);
    int64_t before = monotonic_now();
    nanosleep(&pause, NULL);
    pacer->wait.slept += monotonic_now() - before;
}

static void nap(struct pacer *pacer) {
    if (pacer->nap == 0) {
        stat_add(pacer, STAT_STARVED_COUNT, 1);
        pacer->starving = true;
        pacer->nap = NAP_MIN;
    }
    sleep_for(pacer, pacer->nap);
    if (pacer->nap < NAP_MAX) pacer->nap *= 2;
}

static void look_for_stamps(struct pacer *pacer, int64_t now, int64_t until) {
    departure_look(&pacer->departure, pacer->operations, pacer->link, now, until);
}

/* True while paused; else what pauses have moved is moved here, too. */
static bool is_paused(struct pacer *pacer) {
    if (atomic_load_explicit(&pacer->paused, memory_order_acquire)) return true;
    int64_t more = atomic_load_explicit(&pacer->shift, memory_order_relaxed) - pacer->shifted;
    pacer->shifted += more;
    pacer->t0 += more;
    pacer->origin += more;
    return false;
}

static void follow_course(struct pacer *pacer) {
    unsigned courses = atomic_load_explicit(&pacer->courses, memory_order_acquire);
    if (courses == pacer->course_taken) return;
    /* The owner may have lost the processor with it: then the next look takes the course. */
    if (pthread_mutex_trylock(&pacer->steering) != 0) return;
    pacer->slew = pacer->course;
    pthread_mutex_unlock(&pacer->steering);
    pacer->course_taken = courses;
}

/* True while there is no lease. With the next one the play goes on where it should be by then. */
static bool has_lapsed(struct pacer *pacer, int64_t now) {
    int64_t lease = atomic_load_explicit(&pacer->lease, memory_order_relaxed);
    bool lapsed = now >= lease;
    if (lapsed && !pacer->lapsed) {
        stat_add(pacer, STAT_LAPSES, 1);
        pacer->lost_from = pacer->lost_until = atomic_load_explicit(&pacer->granted, memory_order_relaxed);
    }
    if (!lapsed && pacer->lapsed) pacer->lost_until = now;
    pacer->lapsed = lapsed;
    return lapsed;
}

static enum pacer_state play(struct pacer *pacer) {
    while (!atomic_load_explicit(&pacer->stop, memory_order_relaxed)) {
        int64_t next;
        int64_t now = monotonic_now();
        priority_follow(&pacer->priority, now, pacer->wait.slept);
        pacer->wait.yields = atomic_load_explicit(&pacer->priority.realtime, memory_order_relaxed);
        follow_course(pacer);
        if (is_paused(pacer) || has_lapsed(pacer, now)) {
            look_for_stamps(pacer, now, now + REST);
            sleep_for(pacer, REST);
            continue;
        }
        switch (gather(pacer, now, &next)) {
        case GATHERED_DUE:
            if (send_batch(pacer, now)) ring_consume(pacer->ring, pacer->cursor.position);
            break;
        case GATHERED_NOT_DUE:
            look_for_stamps(pacer, now, next - STAMPS_GUARD);
            wait_until(&pacer->wait, next, &pacer->wake);
            break;
        case GATHERED_EMPTY:
            ring_consume(pacer->ring, pacer->cursor.position); /* past a filler that came alone */
            look_for_stamps(pacer, now, now + STAMPS_GUARD);
            nap(pacer);
            break;
        case GATHERED_ENDED:
            return PACER_DONE;
        case GATHERED_BAD:
            stat_set(pacer, STAT_FAILURE_ERRNO, EBADMSG);
            return PACER_FAILED;
        }
    }
    return PACER_STOPPED;
}

static int64_t clock_ns(clockid_t clock) {
    struct timespec t;
    return clock_gettime(clock, &t) == 0 ? timespec_to_ns(t) : 0;
}

static void *pacing_thread(void *argument) {
    struct pacer *pacer = argument;
    pthread_setname_np(pthread_self(), THREAD_NAME);
    placement_apply(pacer->cpu);
    prctl(PR_SET_TIMERSLACK, 1UL);
    priority_init(&pacer->priority, pacer->realtime, monotonic_now());

    clockid_t cpu_clock;
    if (pthread_getcpuclockid(pthread_self(), &cpu_clock) == 0) atomic_store(&pacer->cpu_clock, cpu_clock);
    enum pacer_state state = play(pacer);
    departure_finish(&pacer->departure, pacer->operations, pacer->link);
    struct rusage usage;
    if (getrusage(RUSAGE_THREAD, &usage) == 0) stat_set(pacer, STAT_PREEMPTED, usage.ru_nivcsw);
    stat_set(pacer, STAT_CPU_NS, clock_ns(CLOCK_THREAD_CPUTIME_ID));
    atomic_store_explicit(&pacer->stats[STAT_STATE], state, memory_order_release);
    return NULL;
}

int pacer_open(const struct pacer_options *options, struct ring *ring, struct pacer **out, const char **syscall) {
    *syscall = "createPacer";
    if (options->max_batch < 1 || options->max_batch > LINK_BATCH_MAX || options->late_drop_ns < 0) return EINVAL;
    if (options->cpu != PLACEMENT_ANY) {
        *syscall = "sched_setaffinity";
        int refused = placement_check(options->cpu);
        if (refused != 0) return refused;
    }
    struct pacer *pacer = calloc(1, sizeof *pacer);
    if (pacer == NULL) return ENOMEM;
    int error = options->link->open(&options->link_options, &pacer->link, syscall);
    if (error != 0) {
        free(pacer);
        return error;
    }
    pacer->operations = options->link;
    pacer->open = true;
    pacer->ring = ring_retain(ring);
    pacer->late_drop_ns = options->late_drop_ns;
    pacer->realtime = options->realtime;
    pacer->cpu = options->cpu;
    pacer->max_batch = (size_t)options->max_batch;
    atomic_init(&pacer->lease, INSTANT_MAX);
    pthread_mutex_init(&pacer->steering, NULL);
    if (options->lock_memory) stat_set(pacer, STAT_LOCKED_BYTES, (int64_t)ring_lock(ring));
    departure_init(&pacer->departure, options->stamps, options->link);
    wait_init(&pacer->wait, options->spin);
    *out = pacer;
    return 0;
}

/* Signals belong to the process's own threads: the new one inherits a full mask. */
static int create_thread(struct pacer *pacer) {
    pthread_attr_t attributes;
    int error = pthread_attr_init(&attributes);
    if (error != 0) return error;
    pthread_attr_setstacksize(&attributes, THREAD_STACK);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&pacer->thread, &attributes, pacing_thread, pacer);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return error;
}

int pacer_start(struct pacer *pacer, int64_t t0) {
    if (pacer->started) return EALREADY;
    if (atomic_load(&pacer->stop)) return 0;
    if (t0 <= -INSTANT_MAX || t0 >= INSTANT_MAX) return EINVAL;
    pacer->t0 = pacer->origin = t0;
    stat_set(pacer, STAT_STATE, PACER_RUNNING);
    int error = create_thread(pacer);
    if (error != 0)
        stat_set(pacer, STAT_STATE, PACER_IDLE);
    else
        pacer->started = true;
    return error;
}

void pacer_stop(struct pacer *pacer) {
    atomic_store(&pacer->stop, true);
    atomic_store(&pacer->wake, true);
    if (!pacer->started) stat_set(pacer, STAT_STATE, PACER_STOPPED);
}

void pacer_pause(struct pacer *pacer) {
    if (pacer->holding) return;
    pacer->holding = true;
    /* The instant comes after the word, so that nothing due behind it has gone out. */
    atomic_store(&pacer->paused, true);
    atomic_store(&pacer->wake, true);
    /* Where the last pause is not quite over the timeline has not moved since. */
    int64_t now = monotonic_now();
    pacer->held_at = now > pacer->resumed_at ? now : pacer->resumed_at;
}

void pacer_resume(struct pacer *pacer) {
    if (!pacer->holding) return;
    pacer->holding = false;
    pacer->resumed_at = monotonic_now() + RESUME_LEAD;
    int64_t more = pacer->resumed_at - pacer->held_at;
    stat_add(pacer, STAT_PAUSES, 1);
    stat_add(pacer, STAT_PAUSED_NS, more);
    atomic_fetch_add(&pacer->shift, more);
    atomic_store(&pacer->wake, atomic_load(&pacer->stop));
    atomic_store_explicit(&pacer->paused, false, memory_order_release);
}

void pacer_steer(struct pacer *pacer, int64_t since, int64_t at, int64_t shift) {
    pthread_mutex_lock(&pacer->steering);
    slew_steer(&pacer->course, since, at, shift);
    pthread_mutex_unlock(&pacer->steering);
    atomic_fetch_add_explicit(&pacer->courses, 1, memory_order_release);
}

void pacer_lease(struct pacer *pacer, int64_t until) {
    atomic_store_explicit(&pacer->granted, monotonic_now(), memory_order_relaxed);
    atomic_store_explicit(&pacer->lease, until, memory_order_relaxed);
}

void pacer_join(struct pacer *pacer, int64_t from) {
    if (pacer->started) return;
    pacer->lost_from = -INSTANT_MAX;
    pacer->lost_until = from;
}

void pacer_stats(const struct pacer *pacer, int64_t out[STAT_COUNT]) {
    /* The state first: once it is final, everything else is. */
    out[STAT_STATE] = atomic_load_explicit(&pacer->stats[STAT_STATE], memory_order_acquire);
    for (enum pacer_stat i = STAT_STATE + 1; i < STAT_COUNT; i++) out[i] = stat_get(pacer, i);
    out[STAT_CONSUMED_PACKETS] = out[STAT_SENT_PACKETS] + out[STAT_REFUSED_OVERSIZE] + out[STAT_REFUSED_NO_BUFFERS] +
                                 out[STAT_REFUSED_LINK_DOWN] + out[STAT_REFUSED_OTHER] + out[STAT_LATE_DROPPED];
    out[STAT_LATENESS_MIN] = pacer->lateness.min;
    out[STAT_LATENESS_MAX] = pacer->lateness.max;
    out[STAT_LATENESS_SUM] = pacer->lateness.sum;
    out[STAT_MARGIN_NS] = wait_margin(&pacer->wait);
    out[STAT_REALTIME] = atomic_load(&pacer->priority.realtime);
    out[STAT_YIELDED] = atomic_load(&pacer->priority.yielded);
    out[STAT_STAMPS_ASKED] = pacer->departure.asked;
    out[STAT_STAMPS_TAKEN] = pacer->departure.taken;
    out[STAT_STAMPS_MAX] = pacer->departure.lateness.max;
    clockid_t cpu_clock = atomic_load(&pacer->cpu_clock);
    if (out[STAT_STATE] == PACER_RUNNING && cpu_clock != 0) out[STAT_CPU_NS] = clock_ns(cpu_clock);
}

int64_t pacer_histogram(const struct pacer *pacer, int64_t *out) {
    return histogram_copy(&pacer->lateness, out);
}

int64_t pacer_departures(const struct pacer *pacer, int64_t *out) {
    return histogram_copy(&pacer->departure.lateness, out);
}

void pacer_close(struct pacer *pacer) {
    if (!pacer->open) return;
    pacer->open = false;
    pacer_stop(pacer);
    if (pacer->started) pthread_join(pacer->thread, NULL);
    pacer->operations->close(pacer->link);
}

void pacer_free(struct pacer *pacer) {
    pacer_close(pacer);
    ring_release(pacer->ring);
    pthread_mutex_destroy(&pacer->steering);
    free(pacer);
}
