/*
 * guestbench: one program that measures a CPU, or a virtual machine, on fixed work. bench/README.md says
 * what it prints. It runs natively, from a shell, or as /init of an initramfs; it mounts nothing and needs
 * no files.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define NOINLINE __attribute__((noinline, noclone))

/* Rounds: `base` times the scale, at least one. */
uint32_t times(uint32_t base);
/* Xorshift, with the same seed before each program. */
uint32_t rng(void);
void fill_random(void *to, size_t size);

/* Anonymous memory in small pages everywhere. Ends the program when there is none. */
void *big_alloc(size_t size);
/* Two buffers that are released after each program. */
extern uint8_t *bufa, *bufb;
void get_bufs(size_t a, size_t b);

struct bench {
  const char *name;
  void (*setup)(void);
  /* Returns a value that every honest machine computes alike. */
  uint64_t (*run)(void);
};

/* Tables that end with a null name. */
extern const struct bench integer_benches[], text_benches[], float_benches[], memory_benches[], system_benches[];
