/*
 * What this process may do beyond an ordinary user. A program file can be given capabilities that a container may
 * withhold (CAP_SYS_NICE, CAP_IPC_LOCK): were they in force from the start (+ep), the kernel would not run it there at all.
 * So they are only permitted (+p), and brought into force here.
 */
#ifndef CAPFLEET_CAPABILITIES_H
#define CAPFLEET_CAPABILITIES_H

/* Brings all permitted capabilities of the calling thread into force; threads that it starts have them, too. */
void capabilities_raise(void);

#endif
