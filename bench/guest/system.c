/* What the operating system does: system calls, pipes, processes, page faults. */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "bench.h"

static NOINLINE uint64_t b_syscall(void) {
  uint32_t n = times(1200000);
  long p = 0;
  for (uint32_t i = 0; i < n; i++) p = syscall(SYS_getppid);
  return (p >= 0) ? n : 0;
}

static NOINLINE uint64_t b_pipe(void) {
  uint32_t n = times(40000);
  int a[2], b[2], st;
  char c = 0;
  if (pipe(a) || pipe(b)) return 0;
  pid_t pid = fork();
  if (pid == 0) {
    close(a[1]);
    close(b[0]);
    while (read(a[0], &c, 1) == 1) {
      c++;
      if (write(b[1], &c, 1) != 1) break;
    }
    _exit(0);
  }
  if (pid < 0) return 0;
  close(a[0]);
  close(b[1]);
  uint64_t sum = 0;
  for (uint32_t i = 0; i < n; i++) {
    if (write(a[1], &c, 1) != 1 || read(b[0], &c, 1) != 1) break;
    sum += (uint8_t)c;
  }
  close(a[1]);
  close(b[0]);
  waitpid(pid, &st, 0);
  return sum;
}

static NOINLINE uint64_t b_fork(void) {
  uint32_t n = times(800), ok = 0;
  for (uint32_t i = 0; i < n; i++) {
    int st = 0;
    pid_t pid = fork();
    if (pid == 0) _exit(i & 127);
    if (pid > 0 && waitpid(pid, &st, 0) == pid && WEXITSTATUS(st) == (int)(i & 127)) ok++;
  }
  return ok;
}

#define PF_BYTES (64u << 20)
static NOINLINE uint64_t b_pagefault(void) {
  uint32_t n = times(4);
  uint64_t sum = 0;
  for (uint32_t r = 0; r < n; r++) {
    uint8_t *p = big_alloc(PF_BYTES);
    for (uint32_t i = 0; i < PF_BYTES; i += 4096) {
      sum += p[i];
      p[i] = 1;
      sum += p[i];
    }
    munmap(p, PF_BYTES);
  }
  return sum;
}

const struct bench system_benches[] = {
    {"syscall_getppid", NULL, b_syscall},
    {"pipe_pingpong", NULL, b_pipe},
    {"fork_exit", NULL, b_fork},
    {"pagefault", NULL, b_pagefault},
    {0},
};
