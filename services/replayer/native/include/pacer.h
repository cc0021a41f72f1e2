/*
 * The pacing thread: takes records from a ring, waits until each frame is due, hands everything already due to a link
 * as one batch, and accounts for every frame. A frame is due at t0 + origin + its due, on CLOCK_MONOTONIC; an instant
 * in the past is due at once. Order is the ring's. It starts nothing before t0 is given and never skips a frame
 * silently: consumed = sent + refused + dropped in every reading.
 *
 * Threads: all functions belong to the owner's thread; only the pacing thread, made by pacer_start, touches the link
 * after that. The producer of the ring may be the owner or another thread.
 */
#ifndef CAPFLEET_PACER_H
#define CAPFLEET_PACER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "departure.h"
#include "link.h"
#include "ring.h"
#include "wait.h"

enum pacer_state {
    PACER_IDLE,
    PACER_RUNNING,
    PACER_DONE,    /* every record consumed, and the ring has ended */
    PACER_STOPPED, /* by pacer_stop or pacer_close */
    PACER_FAILED,
};

/* STAT in binding.ts names the same places in the same order. Instants are CLOCK_MONOTONIC ns, durations ns. */
enum pacer_stat {
    STAT_STATE,
    STAT_SENT_PACKETS,
    STAT_SENT_BYTES,
    STAT_REFUSED_OVERSIZE,
    STAT_REFUSED_NO_BUFFERS,
    STAT_REFUSED_LINK_DOWN,
    STAT_REFUSED_OTHER,
    STAT_LATE_DROPPED,
    STAT_CONSUMED_PACKETS,
    STAT_LAST_ERRNO,    /* of the latest refused frame */
    STAT_FAILURE_ERRNO, /* why the state is failed; EBADMSG: a malformed record */
    STAT_FIRST_DUE,     /* of the first frame sent */
    STAT_FIRST_SENT,    /* the clock right after the call that sent it */
    STAT_LAST_DUE,
    STAT_LAST_SENT,
    STAT_LATENESS_MIN, /* of frames sent: the clock after the call − due */
    STAT_LATENESS_MAX,
    STAT_LATENESS_SUM,
    STAT_STARVED_COUNT,   /* times that the ring was found empty */
    STAT_STARVED_PACKETS, /* frames that arrived overdue after that: the feeder was late, not the thread */
    STAT_BATCHES,         /* calls of the link */
    STAT_MARGIN_NS,       /* how long before an instant sleeping turns into spinning */
    STAT_CPU_NS,          /* used by the pacing thread */
    STAT_REALTIME,        /* 1 while the thread is in the real-time class */
    STAT_YIELDED,         /* times that it left that class because it did not sleep */
    STAT_PREEMPTED,       /* times that the thread lost the processor to another; once it has ended */
    STAT_LOCKED_BYTES,    /* of the ring, that can't be paged out */
    STAT_PAUSES,
    STAT_PAUSED_NS,       /* by which what came after pauses is due later */
    STAT_LAPSES,          /* times that the lease ended while the thread was running */
    STAT_STAMPS_ASKED,    /* frames sent that asked the kernel when they leave */
    STAT_STAMPS_TAKEN,    /* of those, how many are known */
    STAT_STAMPS_MAX,      /* largest stamp − due */
    STAT_COUNT,
};

struct pacer_options {
    const struct link_operations *link;
    struct link_options link_options;
    enum wait_spin spin;
    bool realtime;        /* where it is allowed */
    int cpu;              /* of the pacing thread, or PLACEMENT_ANY */
    bool lock_memory;     /* of the ring, where it is allowed */
    enum departure_mode stamps;
    int64_t late_drop_ns; /* 0: never; else a frame later than this is not sent */
    int64_t max_batch;    /* 1 to LINK_BATCH_MAX */
};

struct pacer;

/* Opens the link and keeps a reference to the ring. Returns 0, or an errno and in *syscall what it came from. */
int pacer_open(const struct pacer_options *options, struct ring *ring, struct pacer **out, const char **syscall);
/* Returns 0, EALREADY after another start, EINVAL for no instant, or an error of pthread_create. After a stop: nothing. */
int pacer_start(struct pacer *pacer, int64_t t0);
/* Doesn't wait: the thread ends within 50 ms. Final and idempotent. */
void pacer_stop(struct pacer *pacer);
/* Sends nothing that is due from now on, until pacer_resume. Does nothing where it is paused. */
void pacer_pause(struct pacer *pacer);
/*
 * Goes on in 20 ms. All that was not sent is due later by exactly the time from the pause until then, which is added to
 * STAT_PAUSED_NS. Does nothing where it is not paused.
 */
void pacer_resume(struct pacer *pacer);
/*
 * Moves due times evenly from the instant `since` on, by as much as `shift` ns at the instant `at`, within SLEW_MOST_PPB,
 * and goes on so: the common clock of several hosts does not run exactly as CLOCK_MONOTONIC does (slew.h). `since` lies
 * ahead: what is due before it may be on its way already.
 */
void pacer_steer(struct pacer *pacer, int64_t since, int64_t at, int64_t shift);
/*
 * Sends nothing from the instant on, until a later one is given; without end before the first call. What is due between
 * this call and the one after the lapse, and was not sent, is then dropped, as too late: whoever was away goes on where the others are, and not where it was. A batch that
 * was being handed over when the process was stopped may still go out, LINK_BATCH_MAX frames.
 */
void pacer_lease(struct pacer *pacer, int64_t until);
/* Before the start: joins a play that others began. What is due before `from` is dropped, as too late. */
void pacer_join(struct pacer *pacer, int64_t from);
void pacer_stats(const struct pacer *pacer, int64_t out[STAT_COUNT]);
/* Copies the histogram of lateness, HISTOGRAM_BUCKETS counts; returns the number of samples. */
int64_t pacer_histogram(const struct pacer *pacer, int64_t *out);
/* The same of stamp − due, of the frames whose departure is known. */
int64_t pacer_departures(const struct pacer *pacer, int64_t *out);
/* Stops, joins and closes the link; idempotent. Statistics stay readable until pacer_free. */
void pacer_close(struct pacer *pacer);
void pacer_free(struct pacer *pacer);

#endif
