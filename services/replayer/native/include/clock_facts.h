/*
 * What the kernel says of the system clock's discipline (adjtimex(2), read only). Needs no privilege.
 */
#ifndef CAPFLEET_CLOCK_FACTS_H
#define CAPFLEET_CLOCK_FACTS_H

#include <stdint.h>

struct clock_facts {
    int state;  /* TIME_OK (0) … TIME_ERROR (5: not synchronized) */
    int status; /* STA_ bits */
    int64_t max_error_us;
    int64_t estimated_error_us;
    int tai_offset; /* s; 0 where nobody has set it */
};

/* Returns 0 or an errno. */
int clock_facts(struct clock_facts *out);

#endif
