/*
 * Code that comes and goes: functions made in memory, some in place of older ones and some in fresh pages, each run until
 * it is hot; and copies of this program that are written, run and deleted. As /init of an initramfs, for CHURN_SECONDS.
 * Every second it prints
 *
 *     CHURN <seconds> <functions made> <programs run>
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define FUNCTIONS 32
#define STRIDE 256
#define BYTES (FUNCTIONS * STRIDE)

static uint32_t state = 2463534242u;

static uint32_t next(void) {
  state ^= state << 13;
  state ^= state >> 17;
  return state ^= state << 5;
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static uint32_t expected(uint32_t x, uint32_t rounds, uint32_t factor, uint32_t addend) {
  for (; rounds; rounds--) {
    x = x * factor + addend;
    x = (x << 5) | (x >> 27);
  }
  return x;
}

/* The same as machine code: x in the first argument's place, the rest as constants. */
static void emit(uint8_t *at, uint32_t rounds, uint32_t factor, uint32_t addend) {
#ifdef __x86_64__
  const uint8_t load[] = {0x89, 0xf8}; /* mov eax, edi */
#else
  const uint8_t load[] = {0x8b, 0x44, 0x24, 0x04}; /* mov eax, [esp + 4] */
#endif
  memcpy(at, load, sizeof load);
  at += sizeof load;
  *at++ = 0xb9; /* mov ecx, rounds */
  memcpy(at, &rounds, 4);
  at += 4;
  *at++ = 0x69; /* imul eax, eax, factor */
  *at++ = 0xc0;
  memcpy(at, &factor, 4);
  at += 4;
  *at++ = 0x05; /* add eax, addend */
  memcpy(at, &addend, 4);
  at += 4;
  const uint8_t rest[] = {0xc1, 0xc0, 0x05, 0xff, 0xc9, 0x75, 0xee, 0xc3}; /* rol eax, 5; dec ecx; jnz imul; ret */
  memcpy(at, rest, sizeof rest);
}

static void *code_pages(void) {
  void *pages = mmap(NULL, BYTES, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) {
    printf("ERROR no executable memory\n");
    exit(1);
  }
  return pages;
}

/* Makes functions and runs them; how many. */
static int churn_functions(uint8_t *pages) {
  for (int i = 0; i < FUNCTIONS; i++) {
    const uint32_t rounds = 2000 + (next() & 4095), factor = next() | 1, addend = next(), x = next();
    uint8_t *at = pages + i * STRIDE;
    emit(at, rounds, factor, addend);
    uint32_t (*function)(uint32_t);
    memcpy(&function, &at, sizeof function);
    for (uint32_t call = 0; call < 3; call++) {
      const uint32_t result = function(x + call), wanted = expected(x + call, rounds, factor, addend);
      if (result == wanted) continue;
      printf("ERROR stale code: %08x, not %08x\n", result, wanted);
      exit(1);
    }
  }
  return FUNCTIONS;
}

/* A copy of this program in pages of its own, that makes and runs functions. */
static void churn_program(const char *self, unsigned number) {
  char path[32];
  struct stat status;
  int ended = -1;
  snprintf(path, sizeof path, "/tmp/churn-%u", number);
  const int from = open(self, O_RDONLY), to = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0755);
  if (from < 0 || to < 0 || fstat(from, &status) || sendfile(to, from, NULL, status.st_size) != status.st_size) {
    printf("ERROR cannot copy %s\n", self);
    exit(1);
  }
  close(from);
  close(to);
  const pid_t child = fork();
  if (child == 0) {
    execl(path, path, "child", (char *)NULL);
    _exit(127);
  }
  if (child < 0 || waitpid(child, &ended, 0) != child || ended != 0) {
    printf("ERROR a copy ended with %d\n", ended);
    exit(1);
  }
  unlink(path);
}

int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (argc == 2) {
    state ^= (uint32_t)getpid() << 8;
    churn_functions(code_pages());
    return 0;
  }
  const int init = getpid() == 1;
  const char *setting = getenv("CHURN_SECONDS");
  const double start = now(), seconds = setting ? atof(setting) : 10;
  unsigned long functions = 0, programs = 0;
  double said = 0;
  uint8_t *same = code_pages();
  mkdir("/tmp", 0777);
  while (now() - start < seconds) {
    functions += churn_functions(same);
    uint8_t *fresh = code_pages();
    functions += churn_functions(fresh);
    munmap(fresh, BYTES);
    churn_program(init ? "/init" : argv[0], programs++);
    if (now() - start - said < 1) continue;
    said = now() - start;
    printf("CHURN %.1f %lu %lu\n", said, functions, programs);
  }
  printf("CHURN_DONE %lu %lu\n", functions, programs);
  tcdrain(1);
  if (init) {
    sync();
    reboot(RB_POWER_OFF);
    for (;;) pause();
  }
  return 0;
}
