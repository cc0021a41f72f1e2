#define _GNU_SOURCE
#include "clock_facts.h"

#include <errno.h>
#include <sys/timex.h>

int clock_facts(struct clock_facts *out) {
    struct timex clock = {.modes = 0};
    int state = adjtimex(&clock);
    if (state < 0) return errno;
    *out = (struct clock_facts){
        .state = state,
        .status = clock.status,
        .max_error_us = clock.maxerror,
        .estimated_error_us = clock.esterror,
        .tai_offset = clock.tai,
    };
    return 0;
}
