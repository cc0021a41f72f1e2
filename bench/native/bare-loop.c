/*
 * The least that a replay can be: packets that lie in memory, a wait, a call of the kernel. What Capfleet's whole
 * pipeline is held against; it uses the core's own wait and link, so that only the pipeline differs.
 *
 *   bare-loop INTERFACE FILE.pcap paced|top LOOPS
 *
 * The file is a nanosecond pcap of this machine's byte order. Prints one JSON document.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "link.h"
#include "monotonic.h"
#include "wait.h"

#define MAGIC_NANOSECONDS 0xa1b23c4du
#define LEAD (100 * NS_PER_MS)

struct file_header {
    uint32_t magic, version, zone, accuracy, snaplen, link_type;
};
struct record_header {
    uint32_t seconds, nanoseconds, captured, wire;
};

struct packet {
    int64_t at;
    const uint8_t *bytes;
    uint32_t length;
};

static void fail(const char *what) {
    fprintf(stderr, "bare-loop: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint8_t *read_file(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) fail(path);
    *size = (size_t)ftell(file);
    rewind(file);
    uint8_t *bytes = malloc(*size);
    if (bytes == NULL || fread(bytes, 1, *size, file) != *size) fail(path);
    fclose(file);
    return bytes;
}

static size_t read_packets(const uint8_t *bytes, size_t size, struct packet **out) {
    const struct file_header *header = (const struct file_header *)bytes;
    if (size < sizeof *header || header->magic != MAGIC_NANOSECONDS) {
        errno = EINVAL;
        fail("no nanosecond pcap of this byte order");
    }
    struct packet *packets = malloc((size / sizeof(struct record_header)) * sizeof *packets);
    if (packets == NULL) fail("malloc");
    size_t count = 0;
    for (size_t at = sizeof *header; at + sizeof(struct record_header) <= size;) {
        struct record_header record;
        memcpy(&record, bytes + at, sizeof record);
        at += sizeof record;
        packets[count++] = (struct packet){
            .at = (int64_t)record.seconds * NS_PER_S + record.nanoseconds,
            .bytes = bytes + at,
            .length = record.captured,
        };
        at += record.captured;
    }
    *out = packets;
    return count;
}

int main(int argc, char **argv) {
    if (argc != 5) {
        fprintf(stderr, "bare-loop INTERFACE FILE.pcap paced|top LOOPS\n");
        return 2;
    }
    bool paced = strcmp(argv[3], "paced") == 0;
    long loops = strtol(argv[4], NULL, 10);
    size_t size;
    uint8_t *bytes = read_file(argv[2], &size);
    struct packet *packets;
    size_t count = read_packets(bytes, size, &packets);

    struct link *link;
    const char *syscall;
    const struct link_options options = {.interface = argv[1], .qdisc_bypass = true};
    errno = link_af_packet.open(&options, &link, &syscall);
    if (errno != 0) fail(syscall);

    static atomic_bool stop;
    struct wait wait;
    wait_init(&wait, WAIT_SPIN_AUTO);
    struct link_frame frames[LINK_BATCH_MAX];
    int64_t start = monotonic_now() + (paced ? LEAD : 0);
    int64_t refused = 0;
    for (long loop = 0; loop < loops; loop++) {
        int64_t offset = start - packets[0].at;
        for (size_t next = 0; next < count;) {
            if (paced) wait_until(&wait, packets[next].at + offset, &stop);
            int64_t now = monotonic_now();
            size_t batch = 0;
            while (batch < LINK_BATCH_MAX && next < count && (!paced || packets[next].at + offset <= now)) {
                frames[batch++] = (struct link_frame){.bytes = packets[next].bytes, .length = packets[next].length};
                next++;
            }
            link_af_packet.send_batch(link, frames, batch, &stop);
            for (size_t i = 0; i < batch; i++) refused += frames[i].error != 0;
        }
    }
    int64_t end = monotonic_now();
    printf("{\"packets\": %zu, \"refused\": %lld, \"seconds\": %.9f, \"margin\": %lld}\n", count * (size_t)loops,
           (long long)refused, (double)(end - start) / (double)NS_PER_S, (long long)wait_margin(&wait));
    link_af_packet.close(link);
    return 0;
}
