/*
 * Runs BPF programs by libpcap's own interpreter. Standard input, in host byte order: a count of instructions, these,
 * a count of frames, for each its length and bytes; and so on. Standard output: what the program returned for each.
 */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static int get(void *out, size_t bytes) {
    return fread(out, 1, bytes, stdin) == bytes;
}

int main(void) {
    void *library = dlopen("libpcap.so.0.8", RTLD_NOW);
    if (library == NULL) library = dlopen("libpcap.so.1", RTLD_NOW);
    unsigned (*filter)(const void *, const unsigned char *, unsigned, unsigned) = NULL;
    if (library != NULL) *(void **)&filter = dlsym(library, "bpf_filter");
    if (filter == NULL) return 77;
    static uint64_t program[4096];
    static unsigned char frame[1 << 16];
    uint32_t instructions, frames, length;
    while (get(&instructions, 4)) {
        if (instructions > 4096 || !get(program, instructions * 8) || !get(&frames, 4)) return 1;
        while (frames-- > 0) {
            if (!get(&length, 4) || length > sizeof frame || !get(frame, length)) return 1;
            uint32_t verdict = filter(program, frame, length, length);
            fwrite(&verdict, 4, 1, stdout);
        }
    }
    return 0;
}
