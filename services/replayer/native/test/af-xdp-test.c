/*
 * The af_xdp link against a model of the kernel's side of its rings, because no one kernel shows both ways in which a
 * call may end: telling what it took (since Linux 6.17), or not where it ends with an error. Whatever happens between,
 * the frames that the link calls sent are as many as the model sent. Runs on a made clock; prints what was not so and
 * exits with 1.
 */
#include "../core/link_af_xdp.c"

#include <fcntl.h>
#include <stdio.h>

#define check(condition) \
    do { \
        if (condition) break; \
        printf("%s:%d: not so: %s (round %d)\n", __FILE__, __LINE__, #condition, round_number); \
        exit(1); \
    } while (0)

static int round_number;

/* Repeatable (xorshift). */
static uint32_t random_state = 2463534242u;
static bool one_in(uint32_t n) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state % n == 0;
}

/* The model. */
static struct {
    bool tells;
    uint32_t budget;
    uint32_t seen, taken; /* of the transmit ring, as the kernel keeps them for itself */
    _Atomic uint32_t tx_producer, tx_consumer, completion_producer, completion_consumer;
    struct xdp_desc descriptors[CHUNKS];
    uint64_t completions[CHUNKS];
    uint64_t waiting[CHUNKS]; /* taken, and not completed yet */
    uint32_t waiting_count;
    bool down, carrier;
    uint32_t trouble; /* one frame in so many meets it */
    unsigned sent;
    atomic_bool stop;
} kernel;

static void complete_some(void) {
    while (kernel.waiting_count > 0 && !one_in(4)) {
        uint32_t producer = atomic_load(&kernel.completion_producer);
        kernel.completions[producer & (CHUNKS - 1)] = kernel.waiting[0];
        memmove(kernel.waiting, kernel.waiting + 1, --kernel.waiting_count * sizeof *kernel.waiting);
        atomic_store(&kernel.completion_producer, producer + 1);
    }
}

/* The made clock. */
static int64_t clock_now;

int clock_gettime(clockid_t clock, struct timespec *out) {
    (void)clock;
    *out = ns_to_timespec(clock_now);
    return 0;
}

int nanosleep(const struct timespec *pause, struct timespec *rest) {
    (void)rest;
    clock_now += timespec_to_ns(*pause);
    complete_some();
    return 0;
}

static void publish(void) {
    atomic_store(&kernel.tx_consumer, kernel.taken);
}

static bool has_next(void) {
    if (kernel.seen != kernel.taken) return true;
    publish();
    kernel.seen = atomic_load(&kernel.tx_producer);
    return kernel.seen != kernel.taken;
}

/* Returns an errno. */
static int transmit(void) {
    if (kernel.down) return ENETDOWN;
    for (uint32_t left = kernel.budget; has_next(); left--) {
        if (left == 0) return EAGAIN;
        if (one_in(kernel.trouble)) return one_in(2) ? EAGAIN : ENOBUFS; /* no memory, or a busy device */
        kernel.waiting[kernel.waiting_count++] = kernel.descriptors[kernel.taken++ & (CHUNKS - 1)].addr;
        if (one_in(kernel.trouble)) kernel.carrier = false;
        if (!kernel.carrier || one_in(kernel.trouble)) return EBUSY; /* dropped */
        kernel.sent++;
        if (one_in(kernel.trouble)) kernel.down = true;
        if (one_in(kernel.trouble)) kernel.stop = true;
    }
    return 0;
}

ssize_t sendto(int fd, const void *bytes, size_t length, int flags, const struct sockaddr *to, socklen_t to_length) {
    (void)fd, (void)bytes, (void)length, (void)flags, (void)to, (void)to_length;
    int error = transmit();
    if (kernel.tells) publish();
    complete_some();
    errno = error;
    return error == 0 ? 0 : -1;
}

int interface_facts_at(int socket, const char *name, struct interface_facts *out, const char **syscall) {
    (void)socket, (void)name, (void)out;
    *syscall = "ioctl";
    return ENODEV;
}

bool interface_has_carrier(int socket, const char *name) {
    (void)socket, (void)name;
    return kernel.carrier;
}

static void open_model(struct link *link, bool tells, uint32_t kernel_budget, uint32_t trouble) {
    memset(&kernel, 0, sizeof kernel);
    kernel.tells = tells;
    kernel.budget = kernel_budget;
    kernel.trouble = trouble;
    kernel.carrier = true;
    memset(link, 0, sizeof *link);
    link->fd = open("/dev/null", O_WRONLY);
    link->largest = 1514;
    link->look_after = INT64_MAX;
    link->tells = tells;
    link->budget = tells ? LINK_BATCH_MAX : BUDGET_MIN;
    link->memory = mmap(NULL, (size_t)CHUNK * CHUNKS, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check(link->fd >= 0 && link->memory != MAP_FAILED);
    link->tx = (struct ring){
        .producer = &kernel.tx_producer, .consumer = &kernel.tx_consumer, .entries = kernel.descriptors};
    link->completion = (struct ring){.producer = &kernel.completion_producer,
                                     .consumer = &kernel.completion_consumer,
                                     .entries = kernel.completions};
    for (uint32_t i = 0; i < CHUNKS; i++) link->free[i] = i;
    link->free_count = CHUNKS;
}

/* Sends batches until something ends the run; frames that are too large are among them. */
static void sent_is_what_was_sent(bool tells, uint32_t kernel_budget, uint32_t trouble) {
    static struct link link;
    static uint8_t bytes[2000];
    open_model(&link, tells, kernel_budget, trouble);
    unsigned sent = 0;
    for (int batch = 0; batch < 20 && !kernel.stop && link.fd >= 0; batch++) {
        struct link_frame frames[LINK_BATCH_MAX] = {0};
        size_t count = (size_t)(1 + random_state % LINK_BATCH_MAX);
        for (size_t i = 0; i < count; i++)
            frames[i] = (struct link_frame){.bytes = bytes, .length = one_in(20) ? sizeof bytes : 60};
        size_t dealt = af_xdp_send_batch(&link, frames, count, &kernel.stop);
        check(dealt == count || kernel.stop);
        for (size_t i = 0; i < dealt; i++) {
            check(frames[i].length == 60 || frames[i].error != 0);
            if (frames[i].error == 0) sent++;
        }
    }
    check(sent == kernel.sent);
    close_socket(&link);
}

int main(void) {
    for (; round_number < 300; round_number++) {
        uint32_t trouble = 10u << (round_number % 6);
        sent_is_what_was_sent(true, LINK_BATCH_MAX, trouble);
        sent_is_what_was_sent(false, 32, trouble);
        sent_is_what_was_sent(false, 16, trouble);
    }
    puts("what the link calls sent was sent, on kernels that tell and on those that do not");
    return 0;
}
