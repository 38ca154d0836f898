/*
 * How fast a cold program becomes: units of fixed work since the process began, window by window. As /init of an
 * initramfs it starts itself anew for each workload. It prints, with the units done by the end of each window,
 *
 *     WARM <workload> <check> <window in ms> <units>...
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include "workloads.h"

#define WINDOW 0.01
#define MAX_WINDOWS 6000

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* Ends with 1 where a unit's result differs from the first unit's. */
static int run(const struct workload *workload, double start, double seconds) {
  static uint32_t done[MAX_WINDOWS];
  uint32_t windows = 0, wanted = (uint32_t)(seconds / WINDOW + 0.5), units = 0;
  uint64_t check = 0;
  if (wanted > MAX_WINDOWS) wanted = MAX_WINDOWS;
  while (windows < wanted) {
    const uint64_t result = workload->unit();
    if (units == 0) check = result;
    if (result != check) {
      printf("ERROR %s gave %016llx and %016llx\n", workload->name, (unsigned long long)check, (unsigned long long)result);
      return 1;
    }
    const double passed = now() - start;
    while (windows < wanted && passed >= (windows + 1) * WINDOW) done[windows++] = units;
    units++;
  }
  printf("WARM %s %016llx %d", workload->name, (unsigned long long)check, (int)(WINDOW * 1000));
  for (uint32_t i = 0; i < windows; i++) printf(" %u", done[i]);
  printf("\n");
  tcdrain(1);
  return 0;
}

int main(int argc, char **argv) {
  if (argc == 4) {
    for (const struct workload *each = workloads; each->name; each++)
      if (!strcmp(each->name, argv[1])) return run(each, atof(argv[2]), atof(argv[3]));
    return 2;
  }
  const int init = getpid() == 1;
  const char *seconds = getenv("WARM_SECONDS"), *only = getenv("WARM_ONLY"), *self = init ? "/init" : argv[0];
  setvbuf(stdout, NULL, _IOLBF, 0);
  for (const struct workload *each = workloads; each->name; each++) {
    char start[32];
    int status = 0;
    if (only && *only && !strstr(only, each->name)) continue;
    snprintf(start, sizeof start, "%.9f", now());
    const pid_t child = fork();
    if (child == 0) {
      execl(self, self, each->name, start, seconds ? seconds : "3", (char *)NULL);
      _exit(127);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0) printf("ERROR %s ended with %d\n", each->name, status);
  }
  printf("WARM_DONE\n");
  tcdrain(1);
  if (init) {
    sync();
    reboot(RB_POWER_OFF);
    for (;;) pause();
  }
  return 0;
}
