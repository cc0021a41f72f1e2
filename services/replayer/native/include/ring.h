/*
 * A byte ring between one producer and one consumer. It owns its memory and the two cursors, and checks every
 * record against what was published before the consumer sees it, so that no content can make it read outside.
 * It knows nothing of time or links.
 *
 * Positions are bytes since the beginning and never wrap; the offset in memory is position mod capacity.
 * Records, in host byte order, each starting 8-byte aligned and never wrapping:
 *
 *   +0  u32 length   bytes of payload after the 16-byte header
 *   +4  u32 kind     enum ring_kind
 *   +8  f64 due      of a frame: ns after the current origin, an integer; else 0
 *   +16 payload, padded to a multiple of 8
 *
 * With fewer than 16 bytes left before the memory's end both sides go on at its start, without a filler.
 *
 * Threads: ring_commit and ring_end belong to the producer, ring_peek and ring_consume to the consumer; the
 * producer writes only between its last committed head and tail + capacity. Retain and release are for anyone.
 */
#ifndef CAPFLEET_RING_H
#define CAPFLEET_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RING_HEADER_BYTES 16u
#define RING_MIN_BYTES ((size_t)1 << 16)
#define RING_MAX_BYTES ((size_t)1 << 30)

enum ring_kind {
    RING_FRAME = 0,
    RING_FILLER = 1, /* go on at the memory's start; handled in ring_peek */
    RING_ORIGIN = 2, /* payload: one int64, ns; frames after it count from there */
};

enum ring_peek {
    RING_RECORD,
    RING_EMPTY, /* nothing more is published */
    RING_ENDED, /* nothing more will ever be */
    RING_MALFORMED,
};

struct ring;

struct ring_record {
    uint32_t kind; /* RING_FRAME or RING_ORIGIN */
    uint32_t length;
    double due;
    const uint8_t *payload; /* in the ring; the producer's again once consumed */
    uint64_t end;           /* the position after this record */
};

/* The consumer's place: position is its own to advance, head is what it last saw published. Starts as {0, 0}. */
struct ring_cursor {
    uint64_t position;
    uint64_t head;
};

/* capacity: a power of two, RING_MIN_BYTES to RING_MAX_BYTES. Returns 0, EINVAL or ENOMEM; one reference is held. */
int ring_create(size_t capacity, struct ring **out);
struct ring *ring_retain(struct ring *ring);
void ring_release(struct ring *ring);

uint8_t *ring_memory(struct ring *ring);
size_t ring_capacity(const struct ring *ring);
/*
 * Keeps the memory from being paged out, within what this process may lock, and readies it for sends by the kernel.
 * Returns how many bytes are locked: all or none.
 */
size_t ring_lock(struct ring *ring);

/* Publishes all records below head, unless the ring has ended; returns how far the consumer is. */
uint64_t ring_commit(struct ring *ring, uint64_t head);
void ring_end(struct ring *ring);

/* Finds the record at the cursor and moves the cursor over fillers, not over the record: set position to end for that. */
enum ring_peek ring_peek(const struct ring *ring, struct ring_cursor *cursor, struct ring_record *out);
/* Gives everything below position back to the producer. */
void ring_consume(struct ring *ring, uint64_t position);

#endif
