/*
 * The af_xdp link hands whole frames to a device through a transmit ring that it shares with the kernel (AF_XDP, the
 * kernel's Documentation/networking/af_xdp.rst), in copy mode, which every driver has. Frames are copied into chunks
 * of registered memory; a chunk is used again when the kernel has completed it. In copy mode the kernel takes
 * descriptors only inside of sendto, so between two calls the ring is ours alone. Before Linux 6.17 a call that ends with
 * an error does not tell how many it took; what that matters for is looked for among what was completed.
 *
 * An interface that is down or away costs the frames of that time: the socket, which keeps no descriptor that way, is
 * closed, and opened again when the interface is back under its name. The kernel does not hold frames against the MTU
 * here, so the link does.
 */
#define _GNU_SOURCE
#include <linux/if_xdp.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "interface_facts.h"
#include "link.h"
#include "monotonic.h"

#define CHUNK 4096u /* the largest that is sure to be allowed, a page */
#define CHUNKS 256u /* 1 MiB, also the size of both rings; a power of two */
#define FILL_RING 8u /* nothing is received, but the kernel wants one */
#define STAGGER 64u  /* frames of one batch begin in different sets of a cache */
#define STAGGERS 16u
#define STAGGER_BELOW (CHUNK - STAGGER * (STAGGERS - 1))

#define SEND_BUFFER (8 << 20)
#define PATIENCE (2 * NS_PER_MS) /* without any progress, per batch */
#define PAUSE (50 * NS_PER_US)
#define STALL (50 * NS_PER_MS) /* the same, where giving up costs the socket */
#define LOOK_EVERY (50 * NS_PER_MS) /* at the interface */
#define FAREWELL (20 * NS_PER_MS)   /* for completions, when closing */
#define BUSY_TRIES 40               /* the kernel lets go of a closed socket's queue a little later */
#define BUSY_PAUSE (5 * NS_PER_MS)

#define ETHERNET_HEADER 14u
#define VLAN_TAG 4u
#define TYPE_AT 12
#define TYPE_VLAN 0x8100

#ifndef XDP_MAX_TX_SKB_BUDGET
#define XDP_MAX_TX_SKB_BUDGET 9 /* Linux 6.17 */
#endif
/* Frames that every kernel takes in one call; from 5.13 on it is 32. At that many a call ends with an error. */
#define BUDGET_MIN 16u

struct ring {
    void *map;
    size_t bytes;
    _Atomic uint32_t *producer, *consumer;
    void *entries;
};

struct link {
    int control; /* for questions about the interface; the XDP socket answers none */
    int fd;      /* -1 while the interface is down or away */
    int error;   /* why */
    int index;
    uint32_t largest; /* bytes of a frame without a tag */
    int64_t look_after;
    char interface[IFNAMSIZ];
    uint8_t *memory;
    struct ring tx, completion;
    uint32_t budget; /* frames for one call */
    bool tells;      /* after every call what it took */
    uint32_t free_count;
    uint32_t free[CHUNKS]; /* numbers of chunks */
};

static uint32_t load(const _Atomic uint32_t *index) {
    return atomic_load_explicit(index, memory_order_acquire);
}

/* The socket. */

static int map_ring(int fd, const struct xdp_ring_offset *at, size_t entry, uint64_t place, struct ring *out) {
    out->bytes = at->desc + CHUNKS * entry;
    out->map = mmap(NULL, out->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, (off_t)place);
    if (out->map == MAP_FAILED) {
        out->map = NULL;
        return errno;
    }
    uint8_t *base = out->map;
    out->producer = (_Atomic uint32_t *)(base + at->producer);
    out->consumer = (_Atomic uint32_t *)(base + at->consumer);
    out->entries = base + at->desc;
    return 0;
}

static void unmap_ring(struct ring *ring) {
    if (ring->map != NULL) munmap(ring->map, ring->bytes);
    ring->map = NULL;
}

static void close_socket(struct link *link) {
    unmap_ring(&link->tx);
    unmap_ring(&link->completion);
    if (link->fd >= 0) close(link->fd);
    /* The kernel holds on to pages that a device still reads. */
    if (link->memory != NULL) munmap(link->memory, (size_t)CHUNK * CHUNKS);
    link->fd = -1;
    link->memory = NULL;
}

static int set_ring_size(int fd, int ring, uint32_t entries) {
    return setsockopt(fd, SOL_XDP, ring, &entries, sizeof entries) < 0 ? errno : 0;
}

static int set_up_memory(struct link *link) {
    void *memory = mmap(NULL, (size_t)CHUNK * CHUNKS, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED) return errno;
    link->memory = memory;
    struct xdp_umem_reg registration = {
        .addr = (uint64_t)(uintptr_t)memory, .len = (uint64_t)CHUNK * CHUNKS, .chunk_size = CHUNK};
    if (setsockopt(link->fd, SOL_XDP, XDP_UMEM_REG, &registration, sizeof registration) < 0) return errno;
    for (uint32_t i = 0; i < CHUNKS; i++) link->free[i] = CHUNKS - 1 - i;
    link->free_count = CHUNKS;
    return 0;
}

static int set_up_rings(struct link *link, const char **syscall) {
    *syscall = "setsockopt";
    int error = set_ring_size(link->fd, XDP_UMEM_FILL_RING, FILL_RING);
    if (error == 0) error = set_ring_size(link->fd, XDP_UMEM_COMPLETION_RING, CHUNKS);
    if (error == 0) error = set_ring_size(link->fd, XDP_TX_RING, CHUNKS);
    if (error != 0) return error;
    /* The same kernels tell at once what they took. */
    link->tells = set_ring_size(link->fd, XDP_MAX_TX_SKB_BUDGET, LINK_BATCH_MAX) == 0;
    link->budget = link->tells ? LINK_BATCH_MAX : BUDGET_MIN;

    struct xdp_mmap_offsets offsets;
    socklen_t length = sizeof offsets;
    *syscall = "getsockopt";
    if (getsockopt(link->fd, SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &length) < 0) return errno;
    *syscall = "mmap";
    error = map_ring(link->fd, &offsets.tx, sizeof(struct xdp_desc), XDP_PGOFF_TX_RING, &link->tx);
    if (error != 0) return error;
    return map_ring(link->fd, &offsets.cr, sizeof(uint64_t), XDP_UMEM_PGOFF_COMPLETION_RING, &link->completion);
}

static void enlarge_send_buffer(int fd) {
    int bytes = SEND_BUFFER;
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes) < 0)
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
}

static int bind_to_queue(struct link *link) {
    struct sockaddr_xdp address = {
        .sxdp_family = AF_XDP, .sxdp_flags = XDP_COPY, .sxdp_ifindex = (uint32_t)link->index, .sxdp_queue_id = 0};
    return bind(link->fd, (struct sockaddr *)&address, sizeof address) < 0 ? errno : 0;
}

static int look(struct link *link, struct interface_facts *facts, const char **syscall) {
    int error = interface_facts_at(link->control, link->interface, facts, syscall);
    if (error == 0) link->largest = (uint32_t)facts->mtu + ETHERNET_HEADER;
    return error;
}

/* All of it is made anew: a socket whose interface is gone can't be bound again. */
static int open_socket(struct link *link, const char **syscall) {
    struct interface_facts facts;
    int error = look(link, &facts, syscall);
    if (error != 0) return error;
    *syscall = "bind";
    if (!facts.up) return ENETDOWN;
    link->index = facts.index;
    *syscall = "socket";
    link->fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (link->fd < 0) return errno;
    *syscall = "setsockopt";
    error = set_up_memory(link);
    if (error == 0) error = set_up_rings(link, syscall);
    if (error == 0) {
        enlarge_send_buffer(link->fd);
        *syscall = "bind";
        error = bind_to_queue(link);
    }
    if (error != 0) close_socket(link);
    return error;
}

static int open_first(struct link *link, const char **syscall) {
    for (int tries = 1;; tries++) {
        int error = open_socket(link, syscall);
        if (error != EBUSY || tries == BUSY_TRIES) return error;
        struct timespec pause = ns_to_timespec(BUSY_PAUSE);
        nanosleep(&pause, NULL);
    }
}

static int af_xdp_open(const struct link_options *options, struct link **out, const char **syscall) {
    *syscall = "ioctl";
    if (strlen(options->interface) >= IFNAMSIZ) return ENODEV;
    struct link *link = calloc(1, sizeof *link);
    if (link == NULL) {
        *syscall = "calloc";
        return ENOMEM;
    }
    link->fd = -1;
    strncpy(link->interface, options->interface, IFNAMSIZ - 1);
    *syscall = "socket";
    link->control = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int error = link->control < 0 ? errno : open_first(link, syscall);
    if (error != 0) {
        if (link->control >= 0) close(link->control);
        free(link);
        return error;
    }
    *out = link;
    return 0;
}

/* The interface. */

static void give_up_socket(struct link *link, int error) {
    close_socket(link);
    link->error = error;
    link->look_after = link_is_down(error) ? monotonic_now() + LOOK_EVERY : 0;
}

/* False while there is nothing to send into. The MTU may change, and the name go to another interface. */
static bool is_ready(struct link *link) {
    int64_t now = monotonic_now();
    if (now < link->look_after) return link->fd >= 0;
    link->look_after = now + LOOK_EVERY;
    const char *syscall;
    if (link->fd >= 0) {
        struct interface_facts facts;
        int error = look(link, &facts, &syscall);
        if (error == 0 && facts.index == link->index) return true;
        close_socket(link);
        link->error = error == 0 ? ENXIO : error;
    }
    struct interface_facts facts;
    if (look(link, &facts, &syscall) != 0 || !interface_has_carrier(link->control, link->interface)) return false;
    int error = open_socket(link, &syscall);
    if (error == EBUSY)
        link->look_after = now + BUSY_PAUSE;
    else if (error != 0)
        link->error = error;
    return error == 0;
}

/* Frames. */

static void collect_completed(struct link *link) {
    uint32_t consumer = atomic_load_explicit(link->completion.consumer, memory_order_relaxed);
    uint32_t producer = load(link->completion.producer);
    const uint64_t *addresses = link->completion.entries;
    for (; consumer != producer; consumer++) {
        uint64_t chunk = addresses[consumer & (CHUNKS - 1)] / CHUNK;
        if (chunk < CHUNKS && link->free_count < CHUNKS) link->free[link->free_count++] = (uint32_t)chunk;
    }
    atomic_store_explicit(link->completion.consumer, consumer, memory_order_release);
}

static int refusal(const struct link *link, const struct link_frame *frame) {
    uint32_t length = frame->length;
    if (length < ETHERNET_HEADER) return EINVAL;
    if (length > CHUNK) return EMSGSIZE;
    if (length <= link->largest) return 0;
    const uint8_t *type = frame->bytes + TYPE_AT;
    bool tagged = length >= TYPE_AT + 2 && (type[0] << 8 | type[1]) == TYPE_VLAN;
    return tagged && length <= link->largest + VLAN_TAG ? 0 : EMSGSIZE;
}

/* Frames in the ring, by the place of each in the batch. */
struct queued {
    size_t places[LINK_BATCH_MAX];
    uint32_t count;
    uint32_t before; /* the ring's producer before the first of them */
};

/* Puts frames into the ring, those of one call at most and as far as there are chunks; returns how many it has looked at. */
static size_t enqueue(struct link *link, struct link_frame *frames, size_t from, size_t count, struct queued *queued) {
    struct xdp_desc *descriptors = link->tx.entries;
    uint32_t producer = atomic_load_explicit(link->tx.producer, memory_order_relaxed);
    queued->before = producer;
    queued->count = 0;
    size_t place = from;
    for (; place < count; place++) {
        struct link_frame *frame = &frames[place];
        frame->error = refusal(link, frame);
        if (frame->error != 0) continue;
        if (link->free_count == 0 || queued->count == link->budget) break;
        uint64_t address = (uint64_t)link->free[--link->free_count] * CHUNK;
        if (frame->length <= STAGGER_BELOW) address += STAGGER * (queued->count % STAGGERS);
        memcpy(link->memory + address, frame->bytes, frame->length);
        descriptors[producer++ & (CHUNKS - 1)] = (struct xdp_desc){.addr = address, .len = frame->length};
        queued->places[queued->count++] = place;
    }
    atomic_store_explicit(link->tx.producer, producer, memory_order_release);
    return place - from;
}

static void pause_for_room(void) {
    struct timespec pause = ns_to_timespec(PAUSE);
    nanosleep(&pause, NULL);
}

/* Of the frames queued, how many come up to the last whose chunk has come back: the kernel took them all. */
static uint32_t completed(const struct link *link, const struct queued *queued) {
    const struct xdp_desc *descriptors = link->tx.entries;
    for (uint32_t count = queued->count; count > 0; count--) {
        uint64_t chunk = descriptors[(queued->before + count - 1) & (CHUNKS - 1)].addr / CHUNK;
        for (uint32_t i = 0; i < link->free_count; i++)
            if (link->free[i] == chunk) return count;
    }
    return 0;
}

/* For a kernel that does not tell: a frame that it has taken is completed soon, sent or not. */
static uint32_t taken_by_completion(struct link *link, const struct queued *queued, uint32_t taken) {
    for (int64_t give_up = monotonic_now() + FAREWELL; taken < queued->count && monotonic_now() < give_up;) {
        collect_completed(link);
        uint32_t count = completed(link, queued);
        if (count > taken) taken = count;
        pause_for_room();
    }
    return taken;
}

/*
 * Lets the kernel take what is in the ring. Returns how many it has taken, with the error of each set: all of them,
 * unless stop was seen or the socket is of no more use, for which *lost is set.
 */
static uint32_t hand_over(struct link *link, struct link_frame *frames, const struct queued *queued,
                          const atomic_bool *stop, int *lost) {
    uint32_t taken = 0;
    bool sure = true; /* that it is not more */
    int64_t give_up = 0; /* 0: not stalled */
    *lost = 0;
    while (taken < queued->count && !atomic_load_explicit(stop, memory_order_relaxed)) {
        int error = sendto(link->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 ? errno : 0;
        if (error == EINTR) continue;
        uint32_t told = load(link->tx.consumer) - queued->before;
        bool progress = told <= queued->count && told > taken;
        if (progress) taken = told;
        if (error != 0 && !link->tells) sure = false;
        if (error == EBUSY) {
            /* The device dropped exactly one frame, the last taken. Where that is not told, an earlier one stands for it. */
            if (!progress) taken++;
            bool carrier = interface_has_carrier(link->control, link->interface);
            frames[queued->places[taken - 1]].error = carrier ? ENOBUFS : ENETDOWN;
            if (!carrier) *lost = ENETDOWN;
        } else if (link_is_down(error)) {
            *lost = error;
        } else if (error != 0 && error != EAGAIN && error != ENOBUFS && error != ENOMEM) {
            *lost = error;
        } else if (!progress) {
            int64_t now = monotonic_now();
            if (give_up == 0) give_up = now + STALL;
            if (now >= give_up) {
                *lost = ENOBUFS;
                break;
            }
            collect_completed(link);
            pause_for_room();
            continue;
        }
        if (*lost != 0) break;
        give_up = 0;
    }
    return sure ? taken : taken_by_completion(link, queued, taken);
}

static size_t af_xdp_send_batch(struct link *link, struct link_frame *frames, size_t count, const atomic_bool *stop) {
    size_t done = 0;
    int64_t give_up = 0;
    while (done < count && !atomic_load_explicit(stop, memory_order_relaxed)) {
        if (!is_ready(link)) {
            frames[done++].error = link->error;
            continue;
        }
        collect_completed(link);
        struct queued queued;
        size_t looked = enqueue(link, frames, done, count, &queued);
        if (looked == 0) {
            int64_t now = monotonic_now();
            if (give_up == 0) give_up = now + PATIENCE;
            if (now < give_up)
                pause_for_room();
            else
                frames[done++].error = ENOBUFS;
            continue;
        }
        give_up = 0;
        int lost;
        uint32_t taken = hand_over(link, frames, &queued, stop, &lost);
        if (lost != 0) {
            for (uint32_t i = taken; i < queued.count; i++) frames[queued.places[i]].error = lost;
            give_up_socket(link, lost);
        } else if (taken < queued.count) {
            return queued.places[taken];
        }
        done += looked;
    }
    return done;
}

/* The kernel has the frames that it has taken; those in its hands are waited for all the same. */
static void af_xdp_close(struct link *link) {
    int64_t give_up = monotonic_now() + FAREWELL;
    if (link->fd >= 0) {
        uint32_t waiting = load(link->tx.producer) - load(link->tx.consumer);
        for (collect_completed(link); link->free_count + waiting < CHUNKS && monotonic_now() < give_up;) {
            pause_for_room();
            collect_completed(link);
        }
    }
    close_socket(link);
    close(link->control);
    free(link);
}

const struct link_operations link_af_xdp = {
    .name = "af_xdp",
    .open = af_xdp_open,
    .send_batch = af_xdp_send_batch,
    .close = af_xdp_close,
};
