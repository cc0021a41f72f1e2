/* The null link accepts every frame and looks at none. It has no state. */
#include "link.h"

static int null_open(const struct link_options *options, struct link **out, const char **syscall) {
    (void)options;
    (void)syscall;
    *out = NULL;
    return 0;
}

static size_t null_send_batch(struct link *link, struct link_frame *frames, size_t count, const atomic_bool *stop) {
    (void)link;
    (void)stop;
    for (size_t i = 0; i < count; i++) frames[i].error = 0;
    return count;
}

static void null_close(struct link *link) {
    (void)link;
}

const struct link_operations link_null = {
    .name = "null",
    .open = null_open,
    .send_batch = null_send_batch,
    .close = null_close,
};
