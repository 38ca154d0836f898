/*
 * Takes as much as it gets of one thing, within bounds that a machine survives where nothing limits it.
 * argv[1]: what; argv[2]: seconds. Says "started", at the end how far it came.
 */
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include "report.h"

#define MIB (1024 * 1024)
static time_t end;
static long taken, failed;
static const char *reason = "";

static int more(void) { return time(0) < end; }
static void fails(void) {
  if (!failed++) reason = strerrorname_np(errno);
  usleep(1000);
}

/* Children that fork, too, and compute; the bound is in memory that all share. */
static void forks(void) {
  long *alive = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pid_t first = getpid();
  *alive = 1;
  while (more()) {
    if (*alive >= 1000) {
      sched_yield();
      continue;
    }
    pid_t child = fork();
    if (child < 0)
      fails();
    else if (child > 0)
      __sync_add_and_fetch(alive, 1);
  }
  if (getpid() != first) _exit(0);
  taken = *alive;
}

static void memory(void) {
  /* The one that the OOM killer takes is a child: the report survives it. */
  int kills = 0;
  while (more()) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
      for (long size = 0; size < 1024 && more(); size++) {
        char *page = mmap(0, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (page == MAP_FAILED) _exit(1);
        memset(page, 1, MIB);
        if (size == 1023) _exit(2);
      }
      while (more()) usleep(1000);
      _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status) || WEXITSTATUS(status) == 1) kills++, failed++;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 2) taken = 1024;
  }
  if (failed) reason = "OOM";
}

static void fill(const char *folder, int many) {
  static char block[MIB];
  memset(block, 7, sizeof block);
  for (long file = 0; more() && taken < (many ? 200000 : 1024); file++) {
    char path[128];
    snprintf(path, sizeof path, "%s/fill-%ld", folder, file);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0) {
      fails();
      continue;
    }
    if (many) taken++;
    for (; !many && more() && taken < 1024; taken++)
      if (write(fd, block, sizeof block) != sizeof block) {
        fails();
        break;
      }
    close(fd);
    if (failed && !many) usleep(1000);
  }
  while (more()) usleep(10000);
}

static void *spin(void *unused) {
  volatile long count = 0;
  while (more())
    for (int i = 0; i < 1000000; i++) count++;
  return unused;
}

/* In percent of one processor. */
static void cpu(void) {
  pthread_t threads[8];
  struct timespec before, after, used;
  clock_gettime(CLOCK_MONOTONIC, &before);
  for (int i = 0; i < 8; i++) pthread_create(&threads[i], 0, spin, 0);
  while (more()) usleep(10000);
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  clock_gettime(CLOCK_MONOTONIC, &after);
  taken = 100 * (used.tv_sec + used.tv_nsec / 1e9) /
          (after.tv_sec - before.tv_sec + (after.tv_nsec - before.tv_nsec) / 1e9);
}

/* Writes past the page cache, as fast as the disk takes it. */
static void disk(void) {
  void *block = mmap(0, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  int fd = open("/fill", O_WRONLY | O_CREAT | O_DIRECT, 0600);
  if (fd < 0) fails();
  while (fd >= 0 && more()) {
    if (pwrite(fd, block, MIB, (taken % 64) * MIB) != MIB)
      fails();
    else
      taken++;
  }
  unlink("/fill");
}

/* Kernel memory: sockets full of data that nobody reads. */
static void sockets(void) {
  static char block[65536];
  while (more()) {
    int pair[2];
    if (taken > 4000 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair)) {
      fails();
      continue;
    }
    taken++;
    while (send(pair[0], block, sizeof block, MSG_DONTWAIT) > 0);
  }
}

int main(int argc, char **argv) {
  const char *what = argv[1];
  (void)argc;
  end = time(0) + atoi(argv[2]);
  puts("started");
  fflush(stdout);
  if (!strcmp(what, "forks")) forks();
  if (!strcmp(what, "memory")) memory();
  if (!strcmp(what, "tmpfs")) fill("/tmp", 0);
  if (!strcmp(what, "shm")) fill("/dev/shm", 0);
  if (!strcmp(what, "inodes")) fill("/tmp", 1);
  if (!strcmp(what, "cpu")) cpu();
  if (!strcmp(what, "disk")) disk();
  if (!strcmp(what, "sockets")) sockets();
  printf("%s %s: %ld, then %s\n", "took", what, taken, failed ? reason : "no limit");
  return done();
}
