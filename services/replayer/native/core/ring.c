#define _GNU_SOURCE
#include "ring.h"

#include <errno.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "kernel_touch.h"

#define CACHE_LINE 64

struct ring {
    uint8_t *memory;
    size_t capacity;
    atomic_uint references;
    alignas(CACHE_LINE) _Atomic uint64_t head; /* the producer's */
    atomic_bool ended;
    alignas(CACHE_LINE) _Atomic uint64_t tail; /* the consumer's */
};

struct header {
    uint32_t length;
    uint32_t kind;
    double due;
};
_Static_assert(sizeof(struct header) == RING_HEADER_BYTES, "the header is part of the contract with the producer");

int ring_create(size_t capacity, struct ring **out) {
    if (capacity < RING_MIN_BYTES || capacity > RING_MAX_BYTES || (capacity & (capacity - 1)) != 0) return EINVAL;
    struct ring *ring = aligned_alloc(CACHE_LINE, sizeof *ring);
    if (ring == NULL) return ENOMEM;
    memset(ring, 0, sizeof *ring);
    ring->memory = mmap(NULL, capacity, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (ring->memory == MAP_FAILED) {
        free(ring);
        return ENOMEM;
    }
    ring->capacity = capacity;
    atomic_init(&ring->references, 1);
    *out = ring;
    return 0;
}

struct ring *ring_retain(struct ring *ring) {
    atomic_fetch_add_explicit(&ring->references, 1, memory_order_relaxed);
    return ring;
}

void ring_release(struct ring *ring) {
    if (atomic_fetch_sub_explicit(&ring->references, 1, memory_order_acq_rel) != 1) return;
    munmap(ring->memory, ring->capacity);
    free(ring);
}

uint8_t *ring_memory(struct ring *ring) {
    return ring->memory;
}

size_t ring_capacity(const struct ring *ring) {
    return ring->capacity;
}

size_t ring_lock(struct ring *ring) {
    bool locked = mlock(ring->memory, ring->capacity) == 0;
#ifdef MADV_POPULATE_WRITE
    if (!locked) madvise(ring->memory, ring->capacity, MADV_POPULATE_WRITE); /* no first touch while sending, at least */
#endif
    kernel_touch(ring->memory, ring->capacity);
    return locked ? ring->capacity : 0;
}

uint64_t ring_commit(struct ring *ring, uint64_t head) {
    if (!atomic_load_explicit(&ring->ended, memory_order_relaxed))
        atomic_store_explicit(&ring->head, head, memory_order_release);
    return atomic_load_explicit(&ring->tail, memory_order_acquire);
}

void ring_end(struct ring *ring) {
    atomic_store_explicit(&ring->ended, true, memory_order_release);
}

void ring_consume(struct ring *ring, uint64_t position) {
    atomic_store_explicit(&ring->tail, position, memory_order_release);
}

static uint64_t padded(uint32_t length) {
    return ((uint64_t)length + 7) & ~UINT64_C(7);
}

enum ring_peek ring_peek(const struct ring *ring, struct ring_cursor *cursor, struct ring_record *out) {
    for (;;) {
        if (cursor->position == cursor->head) {
            /* ended is read first: whoever sees it set sees the last head too. */
            bool ended = atomic_load_explicit(&ring->ended, memory_order_acquire);
            cursor->head = atomic_load_explicit(&ring->head, memory_order_acquire);
            if (cursor->position == cursor->head) return ended ? RING_ENDED : RING_EMPTY;
        }
        /* A head that went backwards shows as an enormous amount here. */
        uint64_t available = cursor->head - cursor->position;
        if (available > ring->capacity) return RING_MALFORMED;

        uint64_t offset = cursor->position & (ring->capacity - 1);
        uint64_t to_end = ring->capacity - offset;
        struct header header = {.kind = RING_FILLER};
        if (to_end >= RING_HEADER_BYTES) {
            if (available < RING_HEADER_BYTES) return RING_MALFORMED;
            memcpy(&header, ring->memory + offset, sizeof header);
        }
        if (header.kind == RING_FILLER) {
            if (to_end > available) return RING_MALFORMED;
            cursor->position += to_end;
            continue;
        }
        uint64_t size = RING_HEADER_BYTES + padded(header.length);
        if (size > to_end || size > available) return RING_MALFORMED;
        if (header.kind != RING_FRAME && header.kind != RING_ORIGIN) return RING_MALFORMED;
        if (header.kind == RING_ORIGIN && header.length != sizeof(int64_t)) return RING_MALFORMED;
        *out = (struct ring_record){
            .kind = header.kind,
            .length = header.length,
            .due = header.due,
            .payload = ring->memory + offset + RING_HEADER_BYTES,
            .end = cursor->position + size,
        };
        return RING_RECORD;
    }
}
