/*
 * The ring, the histogram and the margin on their own. Prints one line per behaviour and exits with 1 at the first that fails.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "histogram.h"
#include "margin.h"
#include "ring.h"

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

#define RUN(behaviour) (behaviour(), printf("ok %s\n", #behaviour))

int main(void) {
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
    return 0;
}
