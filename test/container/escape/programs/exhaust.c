/*
 * Takes as much as it gets of one thing, within bounds that a machine survives where nothing limits it.
 * argv[1]: what; argv[2]: seconds. Says "started", at the end how far it came.
 *
 * It attacks and rests in turn, by the machine's clock, so that the neighbour's throughput in both is seen side by side
 * whatever else the machine does: exhaustion.mjs knows the beat.
 */
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include "report.h"

#define MIB (1024 * 1024)
static time_t end;
static long taken, failed;
static const char *reason = "";

#define BEAT_NS 400000000ull

static int attacking(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return ((now.tv_sec * 1000000000ull + now.tv_nsec) / BEAT_NS) & 1;
}

static int more(void) {
  while (time(0) < end && !attacking()) usleep(2000);
  return time(0) < end;
}

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
    if (*alive >= 1000) continue;
    pid_t child = fork();
    /* No pause: each of them goes on trying. */
    if (child < 0 && !failed++)
      reason = strerrorname_np(errno);
    else if (child < 0)
      continue;
    else if (child > 0)
      __sync_add_and_fetch(alive, 1);
  }
  if (getpid() != first) _exit(0);
  taken = *alive;
}

/* Again and again in a child that the OOM killer prefers: the report survives it. */
static void in_victims(void (*take)(void)) {
  while (more()) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
      int fd = open("/proc/self/oom_score_adj", O_WRONLY);
      if (write(fd, "1000", 4) != 4) _exit(3);
      close(fd);
      take();
      _exit(taken >= 1000 ? 2 : 0);
    }
    int status;
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status)) failed++;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 2) taken = 1000;
  }
  if (failed) reason = "OOM";
}

static void memory(void) {
  for (; taken < 1000 && more(); taken++) {
    char *page = mmap(0, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) return;
    memset(page, 1, MIB);
  }
  while (more()) usleep(1000);
}

/* Fills, empties and fills again. */
static void fill(const char *folder, int many) {
  static char block[MIB];
  char path[128];
  long most = 0;
  memset(block, 7, sizeof block);
  while (more()) {
    long files = 0, full = 0;
    for (taken = 0; more() && !full && taken < (many ? 200000 : 1024); files++) {
      snprintf(path, sizeof path, "%s/fill-%ld", folder, files);
      int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
      if (fd < 0) {
        full = 1;
      } else if (many) {
        taken++;
      } else {
        while (more() && taken < 1024 && !full) {
          if (write(fd, block, sizeof block) == sizeof block)
            taken++;
          else
            full = 1;
        }
      }
      if (full) fails();
      if (fd >= 0) close(fd);
    }
    if (taken > most) most = taken;
    for (long file = 0; file < files; file++) {
      snprintf(path, sizeof path, "%s/fill-%ld", folder, file);
      unlink(path);
    }
  }
  taken = most;
}

static void *spin(void *unused) {
  volatile long count = 0;
  while (more())
    for (int i = 0; i < 100000; i++) count++;
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

/* Kernel memory: sockets full of data that nobody reads. The limit of descriptors is out of the way. */
static void sockets(void) {
  static char block[65536];
  while (more()) {
    int pair[2];
    if (taken >= 1000 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair)) return;
    taken++;
    while (more() && send(pair[0], block, sizeof block, MSG_DONTWAIT) > 0);
  }
}

int main(int argc, char **argv) {
  const char *what = argv[1];
  (void)argc;
  end = time(0) + atoi(argv[2]);
  puts("started");
  fflush(stdout);
  if (!strcmp(what, "forks")) forks();
  if (!strcmp(what, "memory")) in_victims(memory);
  if (!strcmp(what, "tmpfs")) fill("/tmp", 0);
  if (!strcmp(what, "shm")) fill("/dev/shm", 0);
  if (!strcmp(what, "inodes")) fill("/tmp", 1);
  if (!strcmp(what, "cpu")) cpu();
  if (!strcmp(what, "disk")) disk();
  if (!strcmp(what, "sockets")) in_victims(sockets);
  printf("%s %s: %ld, then %s\n", "took", what, taken, failed ? reason : "no limit");
  return done();
}
