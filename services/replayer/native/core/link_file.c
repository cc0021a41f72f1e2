/*
 * The file link writes a classic pcap with nanosecond stamps in host byte order (draft-ietf-opsawg-pcap), each frame
 * stamped with CLOCK_REALTIME when it is handed over. A frame that can't be written whole is refused with the
 * error of the write and leaves no trace: the file ends after the last whole frame. What is neither a regular file nor a
 * character device is refused: a pipe would block the pacing thread for as long as nobody reads.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "link.h"

#define PCAP_MAGIC_NS 0xa1b23c4du
#define PCAP_SNAPLEN 262144u /* the most that readers accept */

struct pcap_file_header {
    uint32_t magic;
    uint16_t version_major, version_minor;
    uint32_t reserved[2];
    uint32_t snaplen;
    uint32_t link_type;
};
_Static_assert(sizeof(struct pcap_file_header) == 24, "no padding");

struct pcap_record {
    uint32_t seconds, nanoseconds;
    uint32_t captured, original;
    uint8_t bytes[PCAP_SNAPLEN];
};
#define PCAP_RECORD_HEADER offsetof(struct pcap_record, bytes)

struct link {
    int fd;
    off_t end; /* after the last whole frame */
    struct pcap_record record;
};

static int write_fully(int fd, const void *bytes, size_t length) {
    const uint8_t *at = bytes;
    while (length > 0) {
        ssize_t written = write(fd, at, length);
        if (written < 0) {
            if (errno == EINTR) continue;
            return errno;
        }
        at += written;
        length -= (size_t)written;
    }
    return 0;
}

static bool is_writable_kind(int fd) {
    struct stat facts;
    return fstat(fd, &facts) == 0 && (S_ISREG(facts.st_mode) || S_ISCHR(facts.st_mode));
}

/* Returns 0 and the descriptor, or an errno; ENXIO: it is no file in this sense. Never waits for the other end of a FIFO. */
static int open_for_writing(const char *path, int *fd) {
    *fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0644);
    if (*fd < 0) return errno;
    int error = is_writable_kind(*fd) ? 0 : ENXIO;
    if (error == 0 && fcntl(*fd, F_SETFL, 0) < 0) error = errno;
    if (error != 0) close(*fd);
    return error;
}

static int file_open(const struct link_options *options, struct link **out, const char **syscall) {
    struct link *link = malloc(sizeof *link);
    if (link == NULL) {
        *syscall = "malloc";
        return ENOMEM;
    }
    int error = open_for_writing(options->path, &link->fd);
    if (error != 0) {
        *syscall = "open";
        free(link);
        return error;
    }
    struct pcap_file_header header = {
        .magic = PCAP_MAGIC_NS,
        .version_major = 2,
        .version_minor = 4,
        .snaplen = PCAP_SNAPLEN,
        .link_type = options->link_type,
    };
    error = write_fully(link->fd, &header, sizeof header);
    if (error != 0) {
        *syscall = "write";
        close(link->fd);
        free(link);
        return error;
    }
    link->end = sizeof header;
    *out = link;
    return 0;
}

static int append(struct link *link, const struct link_frame *frame) {
    if (frame->length > PCAP_SNAPLEN) return EMSGSIZE;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct pcap_record *record = &link->record;
    record->seconds = (uint32_t)now.tv_sec;
    record->nanoseconds = (uint32_t)now.tv_nsec;
    record->captured = record->original = frame->length;
    memcpy(record->bytes, frame->bytes, frame->length);

    size_t size = PCAP_RECORD_HEADER + frame->length;
    int error = write_fully(link->fd, record, size);
    if (error == 0)
        link->end += (off_t)size;
    else if (ftruncate(link->fd, link->end) == 0)
        lseek(link->fd, link->end, SEEK_SET);
    return error;
}

static size_t file_send_batch(struct link *link, struct link_frame *frames, size_t count, const atomic_bool *stop) {
    size_t done = 0;
    while (done < count && !atomic_load_explicit(stop, memory_order_relaxed)) {
        frames[done].error = append(link, &frames[done]);
        done++;
    }
    return done;
}

static void file_close(struct link *link) {
    close(link->fd);
    free(link);
}

const struct link_operations link_file = {
    .name = "file",
    .open = file_open,
    .send_batch = file_send_batch,
    .close = file_close,
};
