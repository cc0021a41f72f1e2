#include "histogram.h"

#include <stdatomic.h>

#define SUB_BUCKETS (1 << HISTOGRAM_SUB_BITS)

static int64_t get(const _Atomic int64_t *cell) {
    return atomic_load_explicit(cell, memory_order_relaxed);
}

static void set(_Atomic int64_t *cell, int64_t value) {
    atomic_store_explicit(cell, value, memory_order_relaxed);
}

size_t histogram_bucket(int64_t ns) {
    if (ns < SUB_BUCKETS) return ns < 0 ? 0 : (size_t)ns;
    if (ns >> HISTOGRAM_TOP_BITS != 0) return HISTOGRAM_BUCKETS - 1;
    int shift = 63 - __builtin_clzll((unsigned long long)ns) - HISTOGRAM_SUB_BITS;
    return (size_t)shift * SUB_BUCKETS + (size_t)(ns >> shift);
}

int64_t histogram_upper_bound(size_t bucket) {
    if (bucket >= HISTOGRAM_BUCKETS) return -1;
    if (bucket < SUB_BUCKETS) return (int64_t)bucket;
    size_t shift = bucket / SUB_BUCKETS - 1;
    int64_t leading = (int64_t)(bucket - shift * SUB_BUCKETS);
    return ((leading + 1) << shift) - 1;
}

void histogram_record(struct histogram *histogram, int64_t ns) {
    if (ns < 0) ns = 0;
    _Atomic int64_t *count = &histogram->counts[histogram_bucket(ns)];
    set(count, get(count) + 1);

    int64_t samples = get(&histogram->samples);
    if (samples == 0 || ns < get(&histogram->min)) set(&histogram->min, ns);
    if (ns > get(&histogram->max)) set(&histogram->max, ns);
    set(&histogram->samples, samples + 1);

    int64_t sum;
    if (__builtin_add_overflow(get(&histogram->sum), ns, &sum)) sum = INT64_MAX;
    set(&histogram->sum, sum);
}

int64_t histogram_copy(const struct histogram *histogram, int64_t *out) {
    int64_t total = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        out[i] = get(&histogram->counts[i]);
        total += out[i];
    }
    return total;
}
