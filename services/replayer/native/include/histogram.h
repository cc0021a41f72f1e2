/*
 * Counts durations in log-linear buckets: exact below 32 ns, then 32 buckets per octave (no more than 3.1 % wide)
 * up to 2^42 ns, about 73 minutes; longer ones go to the last bucket. Minimum, maximum and sum are kept exactly.
 *
 * Threads: one writer; readers on any thread see each count whole, though not all from one moment.
 */
#ifndef CAPFLEET_HISTOGRAM_H
#define CAPFLEET_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_SUB_BITS 5
#define HISTOGRAM_TOP_BITS 42
#define HISTOGRAM_BUCKETS ((HISTOGRAM_TOP_BITS - HISTOGRAM_SUB_BITS + 1) << HISTOGRAM_SUB_BITS)

struct histogram {
    _Atomic int64_t counts[HISTOGRAM_BUCKETS];
    _Atomic int64_t samples;
    _Atomic int64_t min; /* 0 while there are no samples */
    _Atomic int64_t max;
    _Atomic int64_t sum; /* stays at INT64_MAX rather than overflow */
};

size_t histogram_bucket(int64_t ns);
/* The largest ns that belongs to the bucket; -1 if there is no such bucket. */
int64_t histogram_upper_bound(size_t bucket);
/* A negative ns counts as 0. An all-zero histogram is an empty one. */
void histogram_record(struct histogram *histogram, int64_t ns);
/* Copies HISTOGRAM_BUCKETS counts and returns their total. */
int64_t histogram_copy(const struct histogram *histogram, int64_t *out);

#endif
