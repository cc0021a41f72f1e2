/*
 * Transmit stamps of a socket (SO_TIMESTAMPING): the kernel notes when the driver takes a frame, by CLOCK_REALTIME, and
 * hands that back through the socket's error queue. Only frames that ask are stamped, by a control message of their
 * own. Stamps carry the number of the question, counted from 0.
 *
 * Software stamps only: a network card's own are in the card's clock, and have to be turned on for the whole host.
 */
#ifndef CAPFLEET_TRANSMIT_STAMPS_H
#define CAPFLEET_TRANSMIT_STAMPS_H

#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "link.h"

struct transmit_question {
    alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(uint32_t))];
};

void transmit_question_init(struct transmit_question *question);
/* Has the message ask, or not. */
void transmit_question_attach(struct transmit_question *question, struct msghdr *message, int asks);

/* Makes the socket hand stamps back; again: the questions count from 0 again. Returns 0 or an errno. */
int transmit_stamps_enable(int fd);
/* Takes what stamps are there, at most LINK_STAMPS_MAX; never waits. */
size_t transmit_stamps_read(int fd, struct link_stamp *out);

#endif
