/*
 * What frames are handed to: a table of operations, one file per link. A link knows bytes and errors; it does not
 * know time, order or counters. Links: af_packet (the kernel's raw socket), af_xdp (a transmit ring shared with
 * the kernel), null (accepts everything; for tests and benchmarks without privileges), file (a nanosecond pcap).
 *
 * Threads: open and close on the thread that owns the pacer, send_batch on the pacing thread between the two.
 */
#ifndef CAPFLEET_LINK_H
#define CAPFLEET_LINK_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINK_BATCH_MAX 64
#define LINK_STAMPS_MAX 16

struct link;

struct link_options {
    const char *interface; /* af_packet, af_xdp */
    bool qdisc_bypass;     /* af_packet */
    bool transmit_stamps;  /* af_packet: frames may ask when they leave */
    const char *path;      /* file */
    uint32_t link_type;    /* file: LINKTYPE_ of the header */
};

enum link_stamp_state {
    LINK_STAMP_NONE,
    LINK_STAMP_ASKED,  /* by the caller, for a link that reads stamps */
    LINK_STAMP_UNSURE, /* by the link: whether the question counts is not known */
};

struct link_frame {
    const uint8_t *bytes;
    uint32_t length;
    int error; /* set by send_batch: 0, or why the frame was refused */
    enum link_stamp_state stamp;
};

/* When a frame left. */
struct link_stamp {
    uint32_t number; /* of the question, from 0 in the order of the frames that asked */
    int64_t realtime; /* CLOCK_REALTIME, ns */
};

struct link_operations {
    const char *name;
    /* Returns 0, or an errno and in *syscall what it came from. */
    int (*open)(const struct link_options *options, struct link **out, const char **syscall);
    /*
     * Hands over frames in order, at most LINK_BATCH_MAX, and sets the error of each. Returns how many were dealt
     * with: all of them, unless stop was seen. Never blocks without limit.
     */
    size_t (*send_batch)(struct link *link, struct link_frame *frames, size_t count, const atomic_bool *stop);
    /* NULL where the link knows of no departures. Takes at most LINK_STAMPS_MAX, in order of their numbers; never waits. */
    size_t (*read_stamps)(struct link *link, struct link_stamp *out);
    /* Questions count from 0 again; false: none will be answered any more. */
    bool (*restart_stamps)(struct link *link);
    void (*close)(struct link *link);
};

extern const struct link_operations link_af_packet;
extern const struct link_operations link_af_xdp;
extern const struct link_operations link_null;
extern const struct link_operations link_file;

/* Is this how a link says that its interface is down or gone? */
static inline bool link_is_down(int error) {
    return error == ENETDOWN || error == ENXIO || error == ENODEV;
}

#endif
