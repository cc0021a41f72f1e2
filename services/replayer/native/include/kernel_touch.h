/*
 * Memory that the kernel will read for a send is read by it once before. Where page tables are isolated (PTI) the kernel
 * has its own, and a hypervisor that shadows them takes some 100 us at its first access to eight pages.
 */
#ifndef CAPFLEET_KERNEL_TOUCH_H
#define CAPFLEET_KERNEL_TOUCH_H

#include <stddef.h>

/* Reads a word of each page; memory has whole words. Others may write to it meanwhile. */
void kernel_touch(const void *memory, size_t bytes);

#endif
