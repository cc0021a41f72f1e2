/*
 * What the kernel says of a network interface, in the network namespace of the calling thread. Needs no privilege.
 */
#ifndef CAPFLEET_INTERFACE_FACTS_H
#define CAPFLEET_INTERFACE_FACTS_H

#include <stdbool.h>

struct interface_facts {
    int index;
    int mtu;
    bool up;           /* administratively */
    bool running;      /* has a carrier */
    bool loopback;
    int hardware_type; /* ARPHRD_; 1 is Ethernet */
    bool merges;       /* packets that arrive are merged into larger ones (GRO, LRO) */
};

/* Returns 0, or an errno (ENODEV: no such interface) and in *syscall what it came from. */
int interface_facts(const char *name, struct interface_facts *out, const char **syscall);
/* The same in the namespace of an open socket. */
int interface_facts_at(int socket, const char *name, struct interface_facts *out, const char **syscall);
/* The driver is asked, because IFF_RUNNING follows the carrier with a delay; it stands in where there is no answer. */
bool interface_has_carrier(int socket, const char *name);

#endif
