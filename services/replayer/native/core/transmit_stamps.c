#define _GNU_SOURCE
#include "transmit_stamps.h"

#include <linux/errqueue.h>
#include <linux/if_packet.h>
#include <linux/net_tstamp.h>
#include <string.h>
#include <time.h>

#include "monotonic.h"

#define RECEIVE_BUFFER (8 << 20) /* stamps wait in it */
#define ANSWER_BYTES 256

void transmit_question_init(struct transmit_question *question) {
    const uint32_t flags = SOF_TIMESTAMPING_TX_SOFTWARE;
    struct cmsghdr *header = (struct cmsghdr *)question->control;
    *header = (struct cmsghdr){
        .cmsg_level = SOL_SOCKET,
        .cmsg_type = SO_TIMESTAMPING,
        .cmsg_len = CMSG_LEN(sizeof flags),
    };
    memcpy(CMSG_DATA(header), &flags, sizeof flags);
}

void transmit_question_attach(struct transmit_question *question, struct msghdr *message, int asks) {
    message->msg_control = asks ? question->control : NULL;
    message->msg_controllen = asks ? sizeof question->control : 0;
}

int transmit_stamps_enable(int fd) {
    int bytes = RECEIVE_BUFFER;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) < 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    /* The count begins where OPT_ID is turned on. */
    uint32_t flags = 0;
    if (setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, &flags, sizeof flags) < 0) return errno;
    flags = SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_ID | SOF_TIMESTAMPING_OPT_TSONLY;
    return setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, &flags, sizeof flags) < 0 ? errno : 0;
}

/* False for a message of the error queue that is no stamp. */
static bool parse(struct msghdr *message, struct link_stamp *out) {
    bool numbered = false, stamped = false;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header != NULL; header = CMSG_NXTHDR(message, header)) {
        if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_TIMESTAMPING) {
            struct timespec stamp;
            memcpy(&stamp, CMSG_DATA(header), sizeof stamp);
            out->realtime = timespec_to_ns(stamp);
            stamped = out->realtime != 0;
        } else if (header->cmsg_level == SOL_PACKET && header->cmsg_type == PACKET_TX_TIMESTAMP) {
            struct sock_extended_err error;
            memcpy(&error, CMSG_DATA(header), sizeof error);
            out->number = error.ee_data;
            numbered = error.ee_origin == SO_EE_ORIGIN_TIMESTAMPING;
        }
    }
    return numbered && stamped;
}

size_t transmit_stamps_read(int fd, struct link_stamp *out) {
    alignas(struct cmsghdr) char answers[LINK_STAMPS_MAX][ANSWER_BYTES];
    struct mmsghdr messages[LINK_STAMPS_MAX];
    for (size_t i = 0; i < LINK_STAMPS_MAX; i++) {
        messages[i].msg_hdr = (struct msghdr){.msg_control = answers[i], .msg_controllen = ANSWER_BYTES};
    }
    int there = recvmmsg(fd, messages, LINK_STAMPS_MAX, MSG_ERRQUEUE | MSG_DONTWAIT, NULL);
    size_t count = 0;
    for (int i = 0; i < there; i++) count += parse(&messages[i].msg_hdr, &out[count]);
    return count;
}
