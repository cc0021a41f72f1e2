#include "departure.h"

#include <string.h>
#include <time.h>

#include "monotonic.h"
#include "wall_offset.h"

#define SAMPLE_EVERY (1 * NS_PER_MS)
#define LOOK_EVERY (5 * NS_PER_MS)
#define GIVEN_UP_AFTER (100 * NS_PER_MS) /* without a new question; a stamp takes microseconds */
#define STEP (50 * NS_PER_US)            /* the two clocks are read to within less */
#define FINISH_WITHIN (20 * NS_PER_MS)
#define CLOCK_READINGS 3

static void add(_Atomic int64_t *count, int64_t amount) {
    atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + amount, memory_order_relaxed);
}

static uint32_t outstanding(const struct departure *departure) {
    return departure->end - departure->first;
}

void departure_init(struct departure *departure, enum departure_mode mode, const struct link_operations *link) {
    memset(departure, 0, sizeof *departure);
    departure->mode = link->read_stamps == NULL ? DEPARTURE_OFF : mode;
}

void departure_choose(struct departure *departure, struct link_frame *frames, size_t count, int64_t now) {
    if (departure->mode == DEPARTURE_OFF || departure->unsure) return;
    size_t room = DEPARTURE_OUTSTANDING - outstanding(departure);
    if (room == 0) return;
    if (departure->mode == DEPARTURE_ALL) {
        for (size_t i = 0; i < count && i < room; i++) frames[i].stamp = LINK_STAMP_ASKED;
        return;
    }
    if (now < departure->next_question) return;
    departure->next_question = now + SAMPLE_EVERY;
    frames[departure->turn++ % count].stamp = LINK_STAMP_ASKED;
}

void departure_sent(struct departure *departure, const struct link_frame *frames, const int64_t *dues, size_t count,
                    int64_t now) {
    if (departure->mode == DEPARTURE_OFF) return;
    for (size_t i = 0; i < count; i++) {
        if (frames[i].stamp == LINK_STAMP_UNSURE && !departure->unsure) {
            departure->unsure = true;
            departure->sure = departure->end;
        }
        if (frames[i].stamp == LINK_STAMP_NONE || frames[i].error != 0) continue;
        add(&departure->asked, 1);
        departure->last_question = now;
        if (!departure->unsure) departure->dues[departure->end++ % DEPARTURE_OUTSTANDING] = dues[i];
    }
}

static void take(struct departure *departure, const struct link_stamp *stamp, bool stepped) {
    if (departure->unsure && (int32_t)(stamp->number - departure->sure) >= 0) return;
    if (stamp->number - departure->first >= outstanding(departure)) return; /* given up before */
    departure->first = stamp->number + 1;
    if (stepped) return;
    int64_t due = departure->dues[stamp->number % DEPARTURE_OUTSTANDING];
    histogram_record(&departure->lateness, stamp->realtime - departure->offset - due);
    add(&departure->taken, 1);
}

/* Whatever was on its way has come or never will: all questions are over, and a count that is unsure begins anew. */
static void give_up(struct departure *departure, const struct link_operations *operations, struct link *link) {
    departure->first = departure->end;
    if (!departure->unsure) return;
    if (!operations->restart_stamps(link)) departure->mode = DEPARTURE_OFF;
    departure->unsure = false;
    departure->first = departure->end = 0;
}

static void look(struct departure *departure, const struct link_operations *operations, struct link *link,
                 int64_t until) {
    int64_t offset = wall_offset_read(CLOCK_READINGS).offset;
    int64_t moved = offset - departure->offset;
    bool stepped = departure->offset != 0 && (moved > STEP || moved < -STEP);
    departure->offset = offset;
    struct link_stamp stamps[LINK_STAMPS_MAX];
    size_t count;
    do {
        count = operations->read_stamps(link, stamps);
        for (size_t i = 0; i < count; i++) take(departure, &stamps[i], stepped);
    } while (count > 0 && monotonic_now() < until);
}

void departure_look(struct departure *departure, const struct link_operations *operations, struct link *link,
                    int64_t now, int64_t until) {
    if (departure->mode == DEPARTURE_OFF || now >= until) return;
    if (!departure->unsure && outstanding(departure) == 0) return;
    if (now < departure->next_look && outstanding(departure) < DEPARTURE_OUTSTANDING / 2) return;
    departure->next_look = now + LOOK_EVERY;
    look(departure, operations, link, until);
    if (now - departure->last_question > GIVEN_UP_AFTER) give_up(departure, operations, link);
}

void departure_finish(struct departure *departure, const struct link_operations *operations, struct link *link) {
    if (departure->mode == DEPARTURE_OFF) return;
    int64_t until = monotonic_now() + FINISH_WITHIN;
    const struct timespec pause = ns_to_timespec(NS_PER_MS);
    for (;;) {
        look(departure, operations, link, until);
        if (outstanding(departure) == 0 || monotonic_now() >= until) return;
        nanosleep(&pause, NULL);
    }
}
