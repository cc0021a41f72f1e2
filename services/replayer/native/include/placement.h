/*
 * On which processor a thread runs, for the thread that calls. A processor is asked for by its number in /proc/cpuinfo.
 */
#ifndef CAPFLEET_PLACEMENT_H
#define CAPFLEET_PLACEMENT_H

#define PLACEMENT_ANY (-1)

/* Whether a thread of this process may run there; the calling one is left where it is. Returns 0 or an errno. */
int placement_check(int cpu);
/* Keeps the calling thread there; does nothing for PLACEMENT_ANY. */
void placement_apply(int cpu);

#endif
