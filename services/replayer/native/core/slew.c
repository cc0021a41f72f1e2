#include "slew.h"

#include <math.h>

static double leg_at(const struct slew_leg *leg, int64_t due) {
    return leg->shift + (double)(due - leg->since) * leg->rate;
}

void slew_steer(struct slew *slew, int64_t since, int64_t at, int64_t shift) {
    /* One that has not begun yet is replaced: there is no third leg. */
    if (since >= slew->after.since) slew->before = slew->after;
    double most = SLEW_MOST_PPB / 1e9;
    double here = leg_at(&slew->before, since);
    double rate = at > since ? ((double)shift - here) / (double)(at - since) : 0;
    slew->after = (struct slew_leg){.since = since, .shift = here, .rate = fmax(-most, fmin(most, rate))};
}

int64_t slew_at(const struct slew *slew, int64_t due) {
    return llround(leg_at(due < slew->after.since ? &slew->before : &slew->after, due));
}
