/* Runs the programs that are wanted and prints a line for each. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include "bench.h"

static double scale = 1.0;
static uint32_t rng_state;
uint8_t *bufa, *bufb;
static size_t bufa_size, bufb_size;

uint32_t times(uint32_t base) {
  double rounds = base * scale;
  return rounds < 1 ? 1 : (uint32_t)rounds;
}

uint32_t rng(void) {
  uint32_t x = rng_state;
  x ^= x << 13;
  x ^= x >> 17;
  x ^= x << 5;
  return rng_state = x;
}

void fill_random(void *to, size_t size) {
  uint32_t *words = to;
  for (size_t i = 0; i < size / 4; i++) words[i] = rng();
}

void *big_alloc(size_t size) {
  void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    printf("ERROR no memory for %lu bytes\n", (unsigned long)size);
    _exit(1);
  }
  madvise(memory, size, MADV_NOHUGEPAGE);
  return memory;
}

void get_bufs(size_t a, size_t b) {
  bufa_size = a;
  bufb_size = b;
  bufa = a ? big_alloc(a) : NULL;
  bufb = b ? big_alloc(b) : NULL;
}

static void drop_bufs(void) {
  if (bufa) munmap(bufa, bufa_size);
  if (bufb) munmap(bufb, bufb_size);
  bufa = bufb = NULL;
}

static double seconds(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* User and system time of this process and of the children that it waited for. */
static double cpu_seconds(void) {
  double sum = 0;
  const int who[] = {RUSAGE_SELF, RUSAGE_CHILDREN};
  for (int i = 0; i < 2; i++) {
    struct rusage usage;
    getrusage(who[i], &usage);
    sum += (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec);
    sum += (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
  }
  return sum;
}

/* Whether the comma-separated list has the name; an empty list has all. */
static int wanted(const char *list, const char *name) {
  if (!list || !*list) return 1;
  size_t length = strlen(name);
  while (*list) {
    size_t item = strcspn(list, ",");
    if (item == length && !memcmp(list, name, length)) return 1;
    list += item + (list[item] == ',');
  }
  return 0;
}

static void run_one(const struct bench *bench, int init) {
  rng_state = 2463534242u;
  if (bench->setup) bench->setup();
  printf("GO %s\n", bench->name);
  tcdrain(1);
  double cpu = cpu_seconds(), start = seconds(CLOCK_MONOTONIC);
  uint64_t check = bench->run();
  double end = seconds(CLOCK_MONOTONIC);
  cpu = cpu_seconds() - cpu;
  printf("BENCH %s %.6f %016llx\n", bench->name, end - start, (unsigned long long)check);
  if (!init) printf("CPU %s %.6f\n", bench->name, cpu);
  tcdrain(1);
  drop_bufs();
}

int main(int argc, char **argv) {
  const struct bench *const tables[] = {integer_benches, float_benches, text_benches, memory_benches, system_benches};
  const int init = getpid() == 1;
  const char *only = getenv("BENCH_ONLY"), *setting;
  int repeat = 1;
  setvbuf(stdout, NULL, _IOLBF, 0);
  if ((setting = getenv("BENCH_SCALE"))) scale = atof(setting);
  if ((setting = getenv("BENCH_REPEAT"))) repeat = atoi(setting);
  if (!init && argc > 1) scale = atof(argv[1]);
  if (!init && argc > 2) only = argv[2];
  if (!(scale > 0)) scale = 1;

  printf("%s %.3f\n", init ? "INIT-OK" : "BENCH_BEGIN", seconds(CLOCK_BOOTTIME));
  for (unsigned i = 0; i < sizeof tables / sizeof *tables; i++) {
    for (const struct bench *bench = tables[i]; bench->name; bench++) {
      if (!wanted(only, bench->name)) continue;
      for (int round = 0; round < repeat; round++) run_one(bench, init);
    }
  }
  printf("BENCH_DONE\n");
  tcdrain(1);
  if (init) {
    sync();
    reboot(RB_POWER_OFF);
    for (;;) pause();
  }
  return 0;
}
