/* System calls that need what a container does not have. Arguments are such that success would do no harm. */
#include <grp.h>
#include <linux/bpf.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <sys/io.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/swap.h>
#include <sys/wait.h>
#include <time.h>
#include "report.h"

static int raise_hard_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_max == RLIM_INFINITY) return -1;
  limit.rlim_max += 1;
  return setrlimit(RLIMIT_NOFILE, &limit);
}

static int handle_of_root(void) {
  struct {
    struct file_handle head;
    unsigned char bytes[8];
  } handle = {.head = {.handle_bytes = 8, .handle_type = 1}, .bytes = {2}};
  return open_by_handle_at(open("/", O_RDONLY), &handle.head, O_RDONLY);
}

/* argv[1]: a copy of id that is set-uid root. */
static void set_uid(const char *program) {
  fflush(stdout);
  int pipes[2];
  if (pipe(pipes)) return;
  pid_t child = fork();
  if (child == 0) {
    if (setgroups(0, 0) || setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000)) _exit(9);
    dup2(pipes[1], 1);
    execl(program, program, "euid", (char *)0);
    _exit(9);
  }
  close(pipes[1]);
  char text[32] = "";
  long count = read(pipes[0], text, sizeof text - 1);
  int status;
  waitpid(child, &status, 0);
  if (count <= 0)
    report("refused", "a set-uid program", "did not run");
  else
    report(atoi(text) == 0 ? "ESCAPED" : "contained", "a set-uid program", "no_new_privs");
}

int main(int argc, char **argv) {
  if (argc > 1 && !strcmp(argv[1], "euid")) return printf("%d\n", geteuid()) < 0;
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  struct sched_param fifo = {.sched_priority = 1};
  union bpf_attr next = {.start_id = 0};
  struct perf_event_attr event = {.type = PERF_TYPE_SOFTWARE, .size = sizeof event};
  MUST_FAIL("init_module", syscall(SYS_init_module, 0, 0, ""));
  MUST_FAIL("finit_module", syscall(SYS_finit_module, 0, "", 0));
  MUST_FAIL("delete_module", syscall(SYS_delete_module, "no_such_module", 0));
  MUST_FAIL("kexec_load", syscall(SYS_kexec_load, 0, 0, 0, 0x3e << 16));
  /* A wrong magic number: EINVAL would mean that the right one works. */
  if (syscall(SYS_reboot, 0, 0, 0, 0) < 0 && errno == EPERM)
    report("refused", "reboot", "EPERM");
  else
    report("ESCAPED", "reboot", strerrorname_np(errno));
  MUST_FAIL("set the clock", clock_settime(CLOCK_REALTIME, &now));
  MUST_FAIL("iopl", iopl(3));
  MUST_FAIL("ioperm", ioperm(0x80, 1, 1));
  MUST_FAIL("acct", acct(NULL));
  MUST_FAIL("vhangup", vhangup());
  MUST_FAIL("bpf", syscall(SYS_bpf, BPF_PROG_GET_NEXT_ID, &next, sizeof next));
  MUST_FAIL("perf_event_open of every process", syscall(SYS_perf_event_open, &event, -1, 0, -1, 0));
  MUST_FAIL("a file by its handle", handle_of_root());
  MUST_FAIL("set the host name", sethostname("x", 1));
  MUST_FAIL("a realtime priority", sched_setscheduler(0, SCHED_FIFO, &fifo));
  MUST_FAIL("a negative nice value", setpriority(PRIO_PROCESS, 0, -20));
  MUST_FAIL("a realtime I/O priority", syscall(SYS_ioprio_set, 1, 0, 1 << 13));
  MUST_FAIL("raise a hard limit", raise_hard_limit());
  MUST_FAIL("join a namespace", setns(open("/proc/1/ns/mnt", O_RDONLY), CLONE_NEWNS));
  MUST_FAIL("a network namespace", unshare(CLONE_NEWNET));
  int fd = open("/proc/self/oom_score_adj", O_WRONLY);
  MUST_FAIL("protection from the OOM killer", fd < 0 ? -1 : write(fd, "-1000", 5));
  set_uid(argv[1]);
  return done();
}
