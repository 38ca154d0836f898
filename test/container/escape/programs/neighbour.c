/* A quiet neighbour: small units of computing, memory, files and processes; prints how many every 20 ms. */
#include <stdint.h>
#include <sys/wait.h>
#include <time.h>
#include "report.h"

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000ull + time.tv_nsec;
}

int main(void) {
  static uint64_t memory[32768];
  uint64_t units = 0, sum = 1, next = now();
  for (;;) {
    for (int i = 0; i < 32768; i++) memory[i] = sum = sum * 6364136223846793005ull + memory[(sum >> 40) & 32767];
    int fd = open("/tmp/work", O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, memory, 4096) != 4096) return 1;
    close(fd);
    if (units % 16 == 0) {
      pid_t child = fork();
      if (child < 0) return 2;
      if (child == 0) _exit(0);
      waitpid(child, 0, 0);
    }
    units++;
    uint64_t time = now();
    if (time < next) continue;
    next = time + 20000000;
    printf("%llu %llu\n", (unsigned long long)time, (unsigned long long)units);
    fflush(stdout);
  }
}
