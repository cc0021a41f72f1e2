/*
 * Filter expressions in libpcap's syntax, compiled by libpcap for Ethernet frames. The library is loaded when it is
 * first needed, so that everything else works without it. Compiling may ask name servers, and so may take a while.
 *
 * Threads: any; one at a time.
 */
#ifndef CAPFLEET_BPF_COMPILE_H
#define CAPFLEET_BPF_COMPILE_H

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

enum bpf_compiled {
    BPF_COMPILED,
    BPF_INVALID,    /* libpcap's own words in `message` */
    BPF_NO_LIBPCAP, /* the loader's own words in `message` */
    BPF_NO_MEMORY,
};

#define BPF_MESSAGE_BYTES 512

struct bpf_code {
    struct sock_filter *instructions; /* the caller's to free */
    size_t count;
};

enum bpf_compiled bpf_compile(const char *expression, struct bpf_code *out, char message[BPF_MESSAGE_BYTES]);

#endif
