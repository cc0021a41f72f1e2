/*
 * The af_packet link sends whole link-layer frames through a raw packet socket (packet(7)) that receives nothing.
 * A full transmit queue is waited for, briefly; an interface that goes down or away costs the frames of that time and
 * is taken up again when it is back under its name. With qdisc_bypass off the kernel hides one loss: the queue of an
 * interface without carrier accepts frames and discards them.
 */
#define _GNU_SOURCE
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "interface_facts.h"
#include "kernel_touch.h"
#include "link.h"
#include "monotonic.h"
#include "transmit_stamps.h"

#define SEND_BUFFER (8 << 20)
#define PATIENCE (2 * NS_PER_MS) /* without any progress, per batch */
#define PAUSE (50 * NS_PER_US)
#define REBIND_EVERY (50 * NS_PER_MS)

struct link {
    int fd;
    int64_t rebind_after;
    char interface[IFNAMSIZ];
    bool stamps;
    struct transmit_question question;
    struct mmsghdr messages[LINK_BATCH_MAX];
    struct iovec vectors[LINK_BATCH_MAX];
};

/* Protocol 0: the socket gets no copy of what the interface receives. */
static int bind_to(int fd, int index) {
    struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = 0, .sll_ifindex = index};
    return bind(fd, (struct sockaddr *)&address, sizeof address) < 0 ? errno : 0;
}

static void enlarge_send_buffer(int fd) {
    int bytes = SEND_BUFFER;
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes) < 0)
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
}

static int set_up(int fd, const struct link_options *options, const char **syscall) {
    struct interface_facts facts;
    int error = interface_facts_at(fd, options->interface, &facts, syscall);
    if (error != 0) return error;
    *syscall = "bind";
    if (!facts.up) return ENETDOWN;
    error = bind_to(fd, facts.index);
    if (error != 0) return error;
    *syscall = "setsockopt";
    int bypass = options->qdisc_bypass;
    if (setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &bypass, sizeof bypass) < 0) return errno;
    enlarge_send_buffer(fd);
    return 0;
}

static int af_packet_open(const struct link_options *options, struct link **out, const char **syscall) {
    *syscall = "socket";
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (fd < 0) return errno;
    int error = set_up(fd, options, syscall);
    if (error != 0) {
        close(fd);
        return error;
    }
    struct link *link = calloc(1, sizeof *link);
    if (link == NULL) {
        *syscall = "calloc";
        close(fd);
        return ENOMEM;
    }
    link->fd = fd;
    strncpy(link->interface, options->interface, IFNAMSIZ - 1); /* fits: there is such an interface */
    /* A kernel without stamps answers none; that shows in their count. */
    link->stamps = options->transmit_stamps && transmit_stamps_enable(fd) == 0;
    transmit_question_init(&link->question);
    for (size_t i = 0; i < LINK_BATCH_MAX; i++) {
        link->messages[i].msg_hdr.msg_iov = &link->vectors[i];
        link->messages[i].msg_hdr.msg_iovlen = 1;
    }
    kernel_touch(link, sizeof *link);
    *out = link;
    return 0;
}

/* An interface that was deleted and made again has another index. */
static void rebind(struct link *link) {
    int64_t now = monotonic_now();
    if (now < link->rebind_after) return;
    link->rebind_after = now + REBIND_EVERY;
    struct interface_facts facts;
    const char *syscall;
    if (interface_facts_at(link->fd, link->interface, &facts, &syscall) == 0) bind_to(link->fd, facts.index);
}

static void pause_for_room(struct link *link, int error) {
    struct timespec pause = ns_to_timespec(PAUSE);
    struct pollfd writable = {.fd = link->fd, .events = POLLOUT};
    /* ENOBUFS is the device's queue, which poll knows nothing of. */
    if (error == EAGAIN && !link->stamps) /* stamps that wait to be read end a poll at once */
        ppoll(&writable, 1, &pause, NULL);
    else
        nanosleep(&pause, NULL);
}

/* A frame that was not taken may have been counted among the questions all the same. It is not asked about again. */
static void forget_question(struct link *link, struct link_frame *frames, size_t place) {
    if (frames[place].stamp != LINK_STAMP_ASKED) return;
    frames[place].stamp = LINK_STAMP_UNSURE;
    transmit_question_attach(&link->question, &link->messages[place].msg_hdr, false);
}

static size_t af_packet_send_batch(struct link *link, struct link_frame *frames, size_t count, const atomic_bool *stop) {
    for (size_t i = 0; i < count; i++) {
        link->vectors[i] = (struct iovec){.iov_base = (void *)frames[i].bytes, .iov_len = frames[i].length};
        frames[i].error = 0;
        if (link->stamps)
            transmit_question_attach(&link->question, &link->messages[i].msg_hdr, frames[i].stamp == LINK_STAMP_ASKED);
    }
    size_t done = 0;
    int64_t give_up = 0; /* 0: not stalled */
    while (done < count && !atomic_load_explicit(stop, memory_order_relaxed)) {
        int sent = sendmmsg(link->fd, link->messages + done, (unsigned)(count - done), MSG_DONTWAIT);
        int error = errno;
        if (sent > 0) {
            done += (size_t)sent;
            if (done < count) forget_question(link, frames, done); /* the next one was tried, too */
            give_up = 0;
            continue;
        }
        if (error == EINTR) continue;
        forget_question(link, frames, done);
        if (error == EAGAIN || error == ENOBUFS) {
            int64_t now = monotonic_now();
            if (give_up == 0) {
                give_up = now + PATIENCE;
                /* Past the queueing discipline, no carrier looks like no room. */
                if (!interface_has_carrier(link->fd, link->interface)) {
                    error = ENETDOWN;
                    give_up = 0;
                }
            }
            if (now < give_up) {
                pause_for_room(link, error);
                continue;
            }
        }
        frames[done++].error = error;
        if (link_is_down(error)) rebind(link);
    }
    return done;
}

static size_t af_packet_read_stamps(struct link *link, struct link_stamp *out) {
    return link->stamps ? transmit_stamps_read(link->fd, out) : 0;
}

static bool af_packet_restart_stamps(struct link *link) {
    return link->stamps && transmit_stamps_enable(link->fd) == 0;
}

static void af_packet_close(struct link *link) {
    close(link->fd);
    free(link);
}

const struct link_operations link_af_packet = {
    .name = "af_packet",
    .open = af_packet_open,
    .send_batch = af_packet_send_batch,
    .read_stamps = af_packet_read_stamps,
    .restart_stamps = af_packet_restart_stamps,
    .close = af_packet_close,
};
