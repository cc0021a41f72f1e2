#include "margin.h"

#define SOON 16                       /* wake-ups; a second late one within so many is no accident */
#define SPIN_UNIT INT64_C(1000000)    /* ns of spinning that count as one wake-up in time */

static void narrow(struct margin *margin) {
    margin->ns -= margin->ns / 400;
    if (margin->ns < MARGIN_MIN) margin->ns = MARGIN_MIN;
}

void margin_init(struct margin *margin) {
    *margin = (struct margin){.ns = MARGIN_FIRST, .calm = SOON};
}

void margin_woke(struct margin *margin, int64_t overshoot) {
    margin->spun = 0;
    if (overshoot <= margin->ns) {
        if (margin->calm < SOON) margin->calm++;
        narrow(margin);
        return;
    }
    margin->ns += margin->calm < SOON ? margin->ns : margin->ns / 4;
    if (margin->ns > MARGIN_MAX) margin->ns = MARGIN_MAX;
    margin->calm = 0;
}

void margin_spun(struct margin *margin, int64_t ns) {
    margin->spun += ns;
    if (margin->spun < SPIN_UNIT) return;
    margin->spun = 0;
    narrow(margin);
}
