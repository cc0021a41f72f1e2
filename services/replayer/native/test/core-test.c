/*
 * The capabilities, the ring, the histogram, the margin, the departures, the priority, the slew and the distance of the clocks on their
 * own. Prints one line per behaviour and exits with 1 at the first that fails.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "capabilities.h"
#include "departure.h"
#include "histogram.h"
#include "kernel_touch.h"
#include "margin.h"
#include "monotonic.h"
#include "priority.h"
#include "ring.h"
#include "slew.h"
#include "wall_offset.h"

#define CAPACITY RING_MIN_BYTES

#define check(condition) \
    do { \
        if (condition) break; \
        printf("%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
        exit(1); \
    } while (0)

static struct ring *new_ring(void) {
    struct ring *ring;
    check(ring_create(CAPACITY, &ring) == 0);
    return ring;
}

static void put_header(struct ring *ring, uint64_t position, uint32_t length, uint32_t kind, double due) {
    uint8_t *at = ring_memory(ring) + (position & (CAPACITY - 1));
    memcpy(at, &length, 4);
    memcpy(at + 4, &kind, 4);
    memcpy(at + 8, &due, 8);
}

static enum ring_peek peek_at(struct ring *ring, uint64_t position, uint64_t head, struct ring_record *record) {
    struct ring_cursor cursor = {.position = position, .head = position};
    ring_commit(ring, head);
    return ring_peek(ring, &cursor, record);
}

static void capacity_is_a_power_of_two_in_range(void) {
    struct ring *ring;
    check(ring_create(0, &ring) == EINVAL);
    check(ring_create(CAPACITY / 2, &ring) == EINVAL);
    check(ring_create(CAPACITY + 8, &ring) == EINVAL);
    check(ring_create(RING_MAX_BYTES * 2, &ring) == EINVAL);
}

static void empty_then_ended(void) {
    struct ring *ring = new_ring();
    struct ring_cursor cursor = {0};
    struct ring_record record;
    check(ring_peek(ring, &cursor, &record) == RING_EMPTY);
    ring_end(ring);
    check(ring_peek(ring, &cursor, &record) == RING_ENDED);
    check(ring_commit(ring, 64) == 0);
    check(ring_peek(ring, &cursor, &record) == RING_ENDED);
    ring_release(ring);
}

static void peek_does_not_consume(void) {
    struct ring *ring = new_ring();
    struct ring_cursor cursor = {0};
    struct ring_record record;
    put_header(ring, 0, 3, RING_FRAME, 7);
    memcpy(ring_memory(ring) + 16, "abc", 3);
    check(ring_commit(ring, 24) == 0);
    for (int i = 0; i < 2; i++) {
        check(ring_peek(ring, &cursor, &record) == RING_RECORD);
        check(record.kind == RING_FRAME && record.length == 3 && record.due == 7 && record.end == 24);
        check(memcmp(record.payload, "abc", 3) == 0);
    }
    ring_consume(ring, record.end);
    check(ring_commit(ring, 24) == 24);
    ring_release(ring);
}

static void a_record_may_fill_the_whole_ring(void) {
    struct ring *ring = new_ring();
    struct ring_record record;
    put_header(ring, 0, CAPACITY - 16, RING_FRAME, 0);
    check(peek_at(ring, 0, CAPACITY, &record) == RING_RECORD && record.end == CAPACITY);
    ring_release(ring);
}

static void malformed_is_found(void) {
    struct ring *ring = new_ring();
    struct ring_record record;
    put_header(ring, 0, CAPACITY, RING_FRAME, 0);
    check(peek_at(ring, 0, CAPACITY, &record) == RING_MALFORMED);
    put_header(ring, 0, UINT32_MAX, RING_FRAME, 0);
    check(peek_at(ring, 0, CAPACITY, &record) == RING_MALFORMED);
    put_header(ring, 0, 9, RING_FRAME, 0); /* more than is published */
    check(peek_at(ring, 0, 24, &record) == RING_MALFORMED);
    check(peek_at(ring, 0, 8, &record) == RING_MALFORMED);
    put_header(ring, 0, 8, 3, 0);
    check(peek_at(ring, 0, 24, &record) == RING_MALFORMED);
    put_header(ring, 0, 4, RING_ORIGIN, 0);
    check(peek_at(ring, 0, 24, &record) == RING_MALFORMED);
    put_header(ring, 0, 0, RING_FILLER, 0);
    check(peek_at(ring, 0, 16, &record) == RING_MALFORMED);
    put_header(ring, CAPACITY - 16, 1, RING_FRAME, 0); /* would wrap */
    check(peek_at(ring, CAPACITY - 16, CAPACITY + 8, &record) == RING_MALFORMED);
    put_header(ring, 0, 0, RING_FRAME, 0);
    check(peek_at(ring, 0, CAPACITY + 8, &record) == RING_MALFORMED);
    check(peek_at(ring, 64, 32, &record) == RING_MALFORMED); /* a head gone backwards */
    ring_release(ring);
}

static void both_sides_skip_a_short_rest(void) {
    struct ring *ring = new_ring();
    struct ring_record record;
    put_header(ring, CAPACITY, 0, RING_FRAME, 5);
    check(peek_at(ring, CAPACITY - 8, CAPACITY + 16, &record) == RING_RECORD);
    check(record.due == 5 && record.end == CAPACITY + 16);
    ring_release(ring);
}

#define RECORDS 300000

/* Record i has (i * 37) % 1500 bytes, each (uint8_t)i. */
static void *produce(void *argument) {
    struct ring *ring = argument;
    uint64_t head = 0, tail = 0;
    for (uint32_t i = 0; i < RECORDS; i++) {
        uint32_t length = i * 37 % 1500;
        uint64_t size = 16 + ((length + 7u) & ~7u);
        uint64_t to_end = CAPACITY - (head & (CAPACITY - 1));
        uint64_t skip = size > to_end ? to_end : 0;
        while (head + skip + size - tail > CAPACITY) tail = ring_commit(ring, head);
        if (skip >= 16) put_header(ring, head, 0, RING_FILLER, 0);
        head += skip;
        put_header(ring, head, length, RING_FRAME, i);
        memset(ring_memory(ring) + (head & (CAPACITY - 1)) + 16, (uint8_t)i, length);
        head += size;
        if (i % 7 == 0) tail = ring_commit(ring, head);
    }
    ring_commit(ring, head);
    ring_end(ring);
    return NULL;
}

static void records_survive_many_laps_between_threads(void) {
    struct ring *ring = new_ring();
    struct ring_cursor cursor = {0};
    struct ring_record record;
    pthread_t producer;
    check(pthread_create(&producer, NULL, produce, ring) == 0);
    uint32_t seen = 0;
    enum ring_peek found;
    while ((found = ring_peek(ring, &cursor, &record)) != RING_ENDED) {
        if (found == RING_EMPTY) continue;
        check(found == RING_RECORD);
        check(record.due == seen && record.length == seen * 37 % 1500);
        for (uint32_t i = 0; i < record.length; i++) check(record.payload[i] == (uint8_t)seen);
        cursor.position = record.end;
        ring_consume(ring, record.end);
        seen++;
    }
    check(seen == RECORDS);
    pthread_join(producer, NULL);
    ring_release(ring);
}

static void every_bucket_ends_where_the_next_begins(void) {
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        int64_t bound = histogram_upper_bound(i);
        check(histogram_bucket(bound) == i);
        if (i + 1 < HISTOGRAM_BUCKETS) check(histogram_bucket(bound + 1) == i + 1);
    }
    check(histogram_upper_bound(HISTOGRAM_BUCKETS - 1) == (INT64_C(1) << HISTOGRAM_TOP_BITS) - 1);
    check(histogram_upper_bound(HISTOGRAM_BUCKETS) == -1);
    check(histogram_bucket(INT64_MAX) == HISTOGRAM_BUCKETS - 1);
    check(histogram_bucket(-1) == 0 && histogram_bucket(INT64_MIN) == 0);
}

static void a_bucket_is_at_most_a_32nd_wide(void) {
    for (size_t i = 32; i < HISTOGRAM_BUCKETS; i++) {
        int64_t low = histogram_upper_bound(i - 1) + 1;
        check((histogram_upper_bound(i) - low + 1) * 32 <= low);
    }
}

static void extremes_and_sum_are_exact(void) {
    static struct histogram histogram;
    static int64_t counts[HISTOGRAM_BUCKETS];
    check(histogram_copy(&histogram, counts) == 0 && histogram.min == 0);
    histogram_record(&histogram, 1000003);
    histogram_record(&histogram, 77);
    histogram_record(&histogram, 123456789);
    check(histogram.min == 77 && histogram.max == 123456789 && histogram.sum == 124456869);
    check(histogram_copy(&histogram, counts) == 3 && counts[histogram_bucket(77)] == 1);
    histogram_record(&histogram, INT64_MAX);
    check(histogram.sum == INT64_MAX && histogram.max == INT64_MAX && histogram.samples == 4);
}

/* Wake-ups of a host, made by a generator of its own: the same on every machine. */
static uint32_t next_random(void) {
    static uint32_t state = 2463534242;
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

static struct margin settled(int64_t overshoot) {
    struct margin margin;
    margin_init(&margin);
    for (int i = 0; i < 10000; i++) margin_woke(&margin, overshoot);
    return margin;
}

static void the_margin_of_a_quiet_host_is_the_least(void) {
    check(settled(3000).ns == MARGIN_MIN);
    check(settled(0).ns == MARGIN_MIN);
}

static void the_margin_misses_about_one_wake_up_in_a_hundred(void) {
    struct margin margin;
    margin_init(&margin);
    int late = 0;
    int64_t sum = 0;
    for (int i = 0; i < 200000; i++) {
        /* 30 to 40 us, and for one in 200 up to 300 us. */
        int64_t overshoot = 30000 + next_random() % 10000;
        if (next_random() % 200 == 0) overshoot = 40000 + next_random() % 260000;
        if (i >= 20000) {
            late += overshoot > margin.ns;
            sum += margin.ns;
        }
        margin_woke(&margin, overshoot);
    }
    check(late > 180000 / 400 && late < 180000 / 50);
    check(sum / 180000 > 35000 && sum / 180000 < 60000);
}

static void a_host_that_turns_noisy_costs_a_handful_of_late_wake_ups(void) {
    struct margin margin = settled(3000);
    int late = 0;
    for (int i = 0; i < 100; i++) {
        int64_t overshoot = 250000 + next_random() % 50000;
        late += overshoot > margin.ns;
        margin_woke(&margin, overshoot);
    }
    check(late <= 6);
    check(margin.ns >= 250000 && margin.ns <= 600000);
}

static void one_wild_wake_up_is_one_step(void) {
    struct margin margin = settled(3000);
    margin_woke(&margin, 50000000);
    check(margin.ns == MARGIN_MIN + MARGIN_MIN / 4);
    for (int i = 0; i < 100; i++) margin_woke(&margin, 3000);
    check(margin.ns == MARGIN_MIN);
}

static void the_margin_stays_within_its_bounds(void) {
    struct margin margin = settled(3000);
    for (int i = 0; i < 1000; i++) {
        margin_woke(&margin, INT64_MAX);
        check(margin.ns <= MARGIN_MAX);
    }
    check(margin.ns == MARGIN_MAX);
}

static void spinning_without_end_narrows_the_margin_until_there_is_sleep_again(void) {
    struct margin margin = settled(3000);
    for (int i = 0; i < 100; i++) margin_woke(&margin, 2000000);
    check(margin.ns == MARGIN_MAX);
    /* A frame each 800 us, and a host that is quiet again. */
    int spun = 0;
    while (margin.ns >= 800000) {
        margin_spun(&margin, 800000);
        check(++spun < 200);
    }
    for (int i = 0; i < 2000; i++) margin_woke(&margin, 3000);
    check(margin.ns == MARGIN_MIN);
}

/* A link that answers what it is told to, and sends nothing. */
static struct link_stamp answers[LINK_STAMPS_MAX];
static size_t answer_count;
static int restarts;

static size_t read_answers(struct link *link, struct link_stamp *out) {
    (void)link;
    size_t count = answer_count;
    memcpy(out, answers, count * sizeof *out);
    answer_count = 0;
    return count;
}

static bool restart(struct link *link) {
    (void)link;
    restarts++;
    return true;
}

static const struct link_operations answering = {.read_stamps = read_answers, .restart_stamps = restart};
static const struct link_operations silent = {0};

/* The place of the one frame of a batch that asks; -1: none does. */
static int asking_place(struct departure *departure, size_t count, int64_t now) {
    struct link_frame frames[LINK_BATCH_MAX] = {0};
    departure_choose(departure, frames, count, now);
    int place = -1;
    for (size_t i = 0; i < count; i++) {
        if (frames[i].stamp == LINK_STAMP_NONE) continue;
        check(place == -1);
        place = (int)i;
    }
    return place;
}

static int64_t wall_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return timespec_to_ns(t);
}

/* As many frames as asked for have asked and were sent, all due now. */
static void send_asking(struct departure *departure, size_t count, int64_t now) {
    struct link_frame frames[LINK_BATCH_MAX] = {0};
    int64_t dues[LINK_BATCH_MAX];
    departure_choose(departure, frames, count, now);
    for (size_t i = 0; i < count; i++) dues[i] = now;
    departure_sent(departure, frames, dues, count, now);
}

static struct departure departure; /* too large for a stack */

static void a_sample_asks_once_in_a_millisecond_from_changing_places(void) {
    departure_init(&departure, DEPARTURE_SAMPLE, &answering);
    int64_t now = NS_PER_S;
    for (int place = 0; place < 4; place++) {
        check(asking_place(&departure, 4, now) == place);
        check(asking_place(&departure, 4, now + NS_PER_MS - 1) == -1);
        now += NS_PER_MS;
    }
    check(asking_place(&departure, 4, now) == 0);
}

static void nothing_asks_where_stamps_are_off_or_the_link_has_none(void) {
    departure_init(&departure, DEPARTURE_OFF, &answering);
    check(asking_place(&departure, 1, NS_PER_S) == -1);
    departure_init(&departure, DEPARTURE_ALL, &silent);
    check(asking_place(&departure, 1, NS_PER_S) == -1);
}

static void no_more_ask_than_answers_are_waited_for(void) {
    departure_init(&departure, DEPARTURE_ALL, &answering);
    for (unsigned i = 0; i < 2 * DEPARTURE_OUTSTANDING / LINK_BATCH_MAX; i++)
        send_asking(&departure, LINK_BATCH_MAX, NS_PER_S);
    check(departure.asked == DEPARTURE_OUTSTANDING && departure.taken == 0);
}

static void a_stamp_is_held_against_the_due_time_of_its_frame(void) {
    departure_init(&departure, DEPARTURE_ALL, &answering);
    int64_t now = monotonic_now();
    send_asking(&departure, 3, now - 50 * NS_PER_MS);
    /* The first is lost, the third comes after the second; a second answer for one is none. */
    int64_t wall = wall_now();
    answers[0] = (struct link_stamp){.number = 1, .realtime = wall};
    answers[1] = (struct link_stamp){.number = 1, .realtime = wall};
    answers[2] = (struct link_stamp){.number = 2, .realtime = wall};
    answers[3] = (struct link_stamp){.number = 3, .realtime = wall};
    answer_count = 4;
    departure_look(&departure, &answering, NULL, now, now + NS_PER_S);
    check(departure.asked == 3 && departure.taken == 2);
    check(departure.lateness.min > 49 * NS_PER_MS && departure.lateness.max < 1050 * NS_PER_MS);
}

static void after_a_refused_question_none_is_asked_until_the_count_begins_anew(void) {
    departure_init(&departure, DEPARTURE_ALL, &answering);
    restarts = 0;
    int64_t now = monotonic_now();
    struct link_frame frames[3] = {
        {.stamp = LINK_STAMP_ASKED}, {.stamp = LINK_STAMP_UNSURE, .error = EMSGSIZE}, {.stamp = LINK_STAMP_ASKED}};
    const int64_t dues[3] = {now, now, now};
    departure_sent(&departure, frames, dues, 3, now);
    check(departure.asked == 2);
    check(asking_place(&departure, 1, now) == -1);
    /* The number of the third frame is 1 or 2: neither is believed. */
    for (uint32_t i = 0; i < 3; i++) answers[i] = (struct link_stamp){.number = i, .realtime = wall_now()};
    answer_count = 3;
    departure_look(&departure, &answering, NULL, now + 1, now + NS_PER_S);
    check(departure.taken == 1 && restarts == 0);
    departure_look(&departure, &answering, NULL, now + 200 * NS_PER_MS, now + NS_PER_S);
    check(restarts == 1);
    send_asking(&departure, 1, now);
    answers[0] = (struct link_stamp){.number = 0, .realtime = wall_now()};
    answer_count = 1;
    departure_look(&departure, &answering, NULL, now + 300 * NS_PER_MS, now + NS_PER_S);
    check(departure.asked == 3 && departure.taken == 2);
}

static void what_was_asked_around_a_step_of_the_wall_clock_is_not_counted(void) {
    departure_init(&departure, DEPARTURE_ALL, &answering);
    int64_t now = monotonic_now();
    send_asking(&departure, 1, now);
    departure.offset = wall_now() - now - NS_PER_S; /* as it was at the last look */
    answers[0] = (struct link_stamp){.number = 0, .realtime = wall_now()};
    answer_count = 1;
    departure_look(&departure, &answering, NULL, now, now + NS_PER_S);
    check(departure.asked == 1 && departure.taken == 0);
}

static void due_times_head_for_a_shift_and_go_on_at_that_rate(void) {
    struct slew slew = {0};
    check(slew_at(&slew, NS_PER_S) == 0);
    slew_steer(&slew, 10 * NS_PER_S, 20 * NS_PER_S, 300 * NS_PER_US); /* 30 ppm */
    check(slew_at(&slew, 10 * NS_PER_S) == 0 && slew_at(&slew, -NS_PER_S) == 0);
    check(slew_at(&slew, 15 * NS_PER_S) == 150 * NS_PER_US);
    check(slew_at(&slew, 20 * NS_PER_S) == 300 * NS_PER_US);
    check(slew_at(&slew, 30 * NS_PER_S) == 600 * NS_PER_US);
}

static void a_new_course_begins_where_the_old_one_is_and_leaves_what_is_due_before_alone(void) {
    struct slew slew = {0};
    slew_steer(&slew, 0, 10 * NS_PER_S, NS_PER_MS);
    int64_t before = slew_at(&slew, 12 * NS_PER_S);
    slew_steer(&slew, 12 * NS_PER_S, 22 * NS_PER_S, 0);
    check(slew_at(&slew, 11 * NS_PER_S) == 1100 * NS_PER_US);
    check(slew_at(&slew, 12 * NS_PER_S) == before);
    check(slew_at(&slew, 22 * NS_PER_S) == 0);
    /* One that has not begun yet is replaced by the next. */
    slew_steer(&slew, 30 * NS_PER_S, 40 * NS_PER_S, NS_PER_MS);
    slew_steer(&slew, 29 * NS_PER_S, 39 * NS_PER_S, 0);
    check(slew_at(&slew, 39 * NS_PER_S) == 0);
    check(slew_at(&slew, 11 * NS_PER_S) != 1100 * NS_PER_US); /* out of reach: long past */
}

static void no_course_is_steeper_than_the_limit_nor_changes_the_order(void) {
    struct slew slew = {0};
    slew_steer(&slew, 0, NS_PER_S, -NS_PER_S);
    check(slew_at(&slew, NS_PER_S) == -NS_PER_S / 1000000 * SLEW_MOST_PPB / 1000);
    int64_t last = INT64_MIN;
    for (int64_t due = -NS_PER_MS; due < 2 * NS_PER_MS; due += 500) {
        check(due + slew_at(&slew, due) > last);
        last = due + slew_at(&slew, due);
    }
    slew_steer(&slew, NS_PER_S, NS_PER_S, 5); /* no time to do it in */
    check(slew_at(&slew, 5 * NS_PER_S) == slew_at(&slew, NS_PER_S));
}

static bool is_realtime(const struct priority *priority) {
    int policy;
    struct sched_param parameter;
    check(pthread_getschedparam(pthread_self(), &policy, &parameter) == 0);
    check(atomic_load(&priority->realtime) == (policy == SCHED_FIFO));
    return policy == SCHED_FIFO;
}

static void a_thread_that_hardly_sleeps_leaves_the_real_time_class_for_a_tenth_of_a_second(void) {
    bool allowed = priority_allowed();
    if (!allowed) puts("no real-time class here: that it is not entered is all that is looked at");
    struct priority priority = {0};
    priority_init(&priority, true, 0);
    check(is_realtime(&priority) == allowed);
    int64_t slept = 30 * NS_PER_MS;
    priority_follow(&priority, 900 * NS_PER_MS, slept);
    check(is_realtime(&priority) == allowed);
    slept += 29 * NS_PER_MS;
    priority_follow(&priority, 1799 * NS_PER_MS, slept);
    check(is_realtime(&priority) == allowed);
    priority_follow(&priority, 1800 * NS_PER_MS, slept);
    check(!is_realtime(&priority));
    priority_follow(&priority, 1899 * NS_PER_MS, slept);
    check(!is_realtime(&priority));
    priority_follow(&priority, 1900 * NS_PER_MS, slept);
    check(is_realtime(&priority) == allowed);
    priority_follow(&priority, 2799 * NS_PER_MS, slept);
    check(is_realtime(&priority) == allowed);
    priority_follow(&priority, 2800 * NS_PER_MS, slept);
    check(!is_realtime(&priority));
    check(atomic_load(&priority.yielded) == (allowed ? 2 : 0));
}

static void a_thread_that_is_to_be_ordinary_stays_so(void) {
    struct priority priority = {0};
    priority_init(&priority, false, 0);
    for (int64_t now = 0; now < 5 * NS_PER_S; now += 50 * NS_PER_MS) {
        priority_follow(&priority, now, now / 2);
        check(!is_realtime(&priority));
    }
}

static void the_narrowest_reading_of_the_wall_clock_counts(void) {
    struct wall_offset known = WALL_OFFSET_UNKNOWN;
    wall_offset_take(&known, 1000, 51100, 1200);
    check(known.offset == 50000 && known.bound == 100);
    wall_offset_take(&known, 2000, 52000, 2400); /* wider */
    check(known.offset == 50000 && known.bound == 100);
    wall_offset_take(&known, 3000, 53030, 3051); /* half a nanosecond is on the safe side */
    check(known.offset == 50005 && known.bound == 26);
    wall_offset_take(&known, 4000, 3000, 4000); /* behind, and nothing between the readings */
    check(known.offset == -1000 && known.bound == 0);
}

static void the_wall_clock_is_where_it_is_said_to_be(void) {
    int64_t before = monotonic_now();
    int64_t wall = wall_now();
    int64_t after = monotonic_now();
    struct wall_offset known = wall_offset_read(9);
    check(known.bound >= 0 && known.bound < NS_PER_S);
    check(known.offset - known.bound <= wall - before);
    check(known.offset + known.bound >= wall - after);
}

#define RUN(behaviour) (behaviour(), printf("ok %s\n", #behaviour))

static void memory_that_the_kernel_looked_at_is_as_it_was(void) {
    enum { BYTES = 3 * 4096 };
    static uint8_t memory[BYTES], before[BYTES];
    for (size_t i = 0; i < BYTES; i++) memory[i] = before[i] = (uint8_t)(i * 7 + 1);
    memset(memory + 4096, 0, 4);
    memset(before + 4096, 0, 4);
    int64_t begun = monotonic_now();
    kernel_touch(memory, BYTES);
    kernel_touch(memory, BYTES - 2);
    kernel_touch(memory, 4);
    kernel_touch(memory, 3);
    kernel_touch(memory, 0);
    check(memcmp(memory, before, BYTES) == 0);
    check(monotonic_now() - begun < NS_PER_S); /* it never waits */
}

static void what_a_thread_may_do_is_brought_into_force(void) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
    check(syscall(SYS_capget, &header, data) == 0);
    uint32_t permitted = data[0].permitted;
    data[0].effective = 0;
    check(syscall(SYS_capset, &header, data) == 0);
    capabilities_raise();
    check(syscall(SYS_capget, &header, data) == 0);
    check(data[0].effective == permitted && data[0].permitted == permitted);
}

int main(void) {
    RUN(what_a_thread_may_do_is_brought_into_force);
    RUN(memory_that_the_kernel_looked_at_is_as_it_was);
    RUN(capacity_is_a_power_of_two_in_range);
    RUN(empty_then_ended);
    RUN(peek_does_not_consume);
    RUN(a_record_may_fill_the_whole_ring);
    RUN(malformed_is_found);
    RUN(both_sides_skip_a_short_rest);
    RUN(records_survive_many_laps_between_threads);
    RUN(every_bucket_ends_where_the_next_begins);
    RUN(a_bucket_is_at_most_a_32nd_wide);
    RUN(extremes_and_sum_are_exact);
    RUN(the_margin_of_a_quiet_host_is_the_least);
    RUN(the_margin_misses_about_one_wake_up_in_a_hundred);
    RUN(a_host_that_turns_noisy_costs_a_handful_of_late_wake_ups);
    RUN(one_wild_wake_up_is_one_step);
    RUN(the_margin_stays_within_its_bounds);
    RUN(spinning_without_end_narrows_the_margin_until_there_is_sleep_again);
    RUN(a_sample_asks_once_in_a_millisecond_from_changing_places);
    RUN(nothing_asks_where_stamps_are_off_or_the_link_has_none);
    RUN(no_more_ask_than_answers_are_waited_for);
    RUN(a_stamp_is_held_against_the_due_time_of_its_frame);
    RUN(after_a_refused_question_none_is_asked_until_the_count_begins_anew);
    RUN(what_was_asked_around_a_step_of_the_wall_clock_is_not_counted);
    RUN(a_thread_that_is_to_be_ordinary_stays_so);
    RUN(a_thread_that_hardly_sleeps_leaves_the_real_time_class_for_a_tenth_of_a_second);
    RUN(due_times_head_for_a_shift_and_go_on_at_that_rate);
    RUN(a_new_course_begins_where_the_old_one_is_and_leaves_what_is_due_before_alone);
    RUN(no_course_is_steeper_than_the_limit_nor_changes_the_order);
    RUN(the_narrowest_reading_of_the_wall_clock_counts);
    RUN(the_wall_clock_is_where_it_is_said_to_be);
    return 0;
}
