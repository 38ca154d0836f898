#pragma once
#include <stdint.h>

struct workload {
  const char *name;
  /* Some hundred thousand instructions, with the same result each time. */
  uint64_t (*unit)(void);
};

/* A table that ends with a null name. */
extern const struct workload workloads[];

uint64_t unit_loop(void);
uint64_t unit_interpreter(void);
uint64_t unit_flat(void);
