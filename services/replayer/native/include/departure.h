/*
 * When frames left, by the kernel's transmit stamps: chooses which frames ask for one, takes the answers where there is
 * time for it, and counts stamp − due. The stamps are wall-clock time; they are brought to CLOCK_MONOTONIC by the
 * distance of the two clocks, which is the same all the time unless the wall clock is set: what was asked around
 * such a step is not counted. Nor is a stamp that can not be told whose it is. So taken ≤ asked, always.
 *
 * Threads: all of it belongs to the pacing thread; counts and the histogram may be read from any.
 */
#ifndef CAPFLEET_DEPARTURE_H
#define CAPFLEET_DEPARTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "histogram.h"
#include "link.h"

#define DEPARTURE_OUTSTANDING 4096u /* questions without an answer; more are not asked */

enum departure_mode {
    DEPARTURE_OFF,
    DEPARTURE_SAMPLE, /* a frame each millisecond at most, from changing places of its batch */
    DEPARTURE_ALL,    /* every frame, as long as answers come in as fast */
};

struct departure {
    enum departure_mode mode;
    _Atomic int64_t asked;
    _Atomic int64_t taken;
    struct histogram lateness; /* stamp − due */

    int64_t next_question;
    int64_t next_look;
    int64_t last_question;
    unsigned turn;
    uint32_t end;   /* number of the next question */
    uint32_t first; /* questions below are answered or given up */
    uint32_t sure;  /* those from here on can not be told apart, where unsure */
    bool unsure;    /* since a frame that asked was refused: whether it was counted is not known */
    int64_t offset; /* CLOCK_REALTIME − CLOCK_MONOTONIC at the last look; 0 before */
    int64_t dues[DEPARTURE_OUTSTANDING];
};

/* A link without stamps turns it off. */
void departure_init(struct departure *departure, enum departure_mode mode, const struct link_operations *link);
/* Marks those frames of a batch that ask. */
void departure_choose(struct departure *departure, struct link_frame *frames, size_t count, int64_t now);
/* To be called with the batch as the link has left it. */
void departure_sent(struct departure *departure, const struct link_frame *frames, const int64_t *dues, size_t count,
                    int64_t now);
/* Takes answers until there is none, or until the instant; a look takes some 20 us. */
void departure_look(struct departure *departure, const struct link_operations *operations, struct link *link,
                    int64_t now, int64_t until);
/* Takes the last answers; waits for them 20 ms at most. */
void departure_finish(struct departure *departure, const struct link_operations *operations, struct link *link);

#endif
