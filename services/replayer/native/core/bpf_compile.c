#define _GNU_SOURCE
#include "bpf_compile.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is used of libpcap's interface (pcap(3PCAP)), which has been the same since libpcap 0.9. */
#define LINK_ETHERNET 1
#define SNAPLEN 262144
#define NETMASK_UNKNOWN 0xffffffffu

struct program {
    unsigned count;
    struct sock_filter *instructions;
};

struct libpcap {
    void *(*open_dead)(int link_type, int snaplen);
    int (*compile)(void *pcap, struct program *out, const char *expression, int optimize, uint32_t netmask);
    char *(*geterr)(void *pcap);
    void (*freecode)(struct program *program);
    void (*close)(void *pcap);
};

static void *open_library(void) {
    /* The name that Debian gives it, then everybody else's. */
    void *library = dlopen("libpcap.so.0.8", RTLD_NOW | RTLD_LOCAL);
    return library != NULL ? library : dlopen("libpcap.so.1", RTLD_NOW | RTLD_LOCAL);
}

static int load(struct libpcap *out) {
    void *library = open_library(); /* stays loaded */
    if (library == NULL) return 0;
    const struct {
        const char *name;
        void *place;
    } symbols[] = {
        {"pcap_open_dead", &out->open_dead}, {"pcap_compile", &out->compile}, {"pcap_geterr", &out->geterr},
        {"pcap_freecode", &out->freecode},   {"pcap_close", &out->close},
    };
    for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++) {
        void *symbol = dlsym(library, symbols[i].name);
        if (symbol == NULL) return 0;
        memcpy(symbols[i].place, &symbol, sizeof symbol);
    }
    return 1;
}

enum bpf_compiled bpf_compile(const char *expression, struct bpf_code *out, char message[BPF_MESSAGE_BYTES]) {
    struct libpcap libpcap;
    if (!load(&libpcap)) {
        const char *reason = dlerror();
        snprintf(message, BPF_MESSAGE_BYTES, "%s", reason != NULL ? reason : "libpcap can't be loaded");
        return BPF_NO_LIBPCAP;
    }
    void *pcap = libpcap.open_dead(LINK_ETHERNET, SNAPLEN);
    if (pcap == NULL) return BPF_NO_MEMORY;
    struct program program = {0};
    enum bpf_compiled result = BPF_COMPILED;
    if (libpcap.compile(pcap, &program, expression, 1, NETMASK_UNKNOWN) < 0) {
        snprintf(message, BPF_MESSAGE_BYTES, "%s", libpcap.geterr(pcap));
        result = BPF_INVALID;
    } else {
        size_t bytes = program.count * sizeof *program.instructions;
        out->instructions = malloc(bytes);
        out->count = program.count;
        if (out->instructions == NULL)
            result = BPF_NO_MEMORY;
        else
            memcpy(out->instructions, program.instructions, bytes);
        libpcap.freecode(&program);
    }
    libpcap.close(pcap);
    return result;
}
