// How the C library's allocator is set for processes that decode: blocks of megabytes come and go many times a second,
// and by default each goes back to the kernel and comes anew, page by page, which takes longer than decoding it
// (docs/decisions/0004). Read by glibc when a process starts; others ignore it.

/** What to add to the environment of a process that maps: keeps up to 128 MiB of free memory for what comes next. */
export const allocatorEnvironment: Readonly<Record<string, string>> = {
  MALLOC_MMAP_THRESHOLD_: String(32 * 2 ** 20),
  MALLOC_TRIM_THRESHOLD_: String(128 * 2 ** 20),
};
