/* Signals, ptrace and memory of processes outside: argv[1] is the pid of one on the host. */
#include <dirent.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include "report.h"

int main(int argc, char **argv) {
  pid_t pid = atoi(argv[1]);
  char bytes[16];
  struct iovec here = {bytes, sizeof bytes}, there = {(void *)0x400000, sizeof bytes};
  MUST_FAIL("kill a process of the host", kill(pid, SIGKILL));
  MUST_FAIL("tgkill a process of the host", syscall(SYS_tgkill, pid, pid, SIGKILL));
  MUST_FAIL("ptrace a process of the host", ptrace(PTRACE_SEIZE, pid, 0, 0));
  MUST_FAIL("read its memory", process_vm_readv(pid, &here, 1, &there, 1, 0));
  MUST_FAIL("a pidfd of it", syscall(434, pid, 0));
  MUST_FAIL("limits of it", syscall(SYS_prlimit64, pid, 7, 0, bytes));
  MUST_FAIL("its priority", syscall(SYS_setpriority, 0, pid, 19));

  DIR *proc = opendir("/proc");
  int others = 0;
  for (struct dirent *entry; proc && (entry = readdir(proc));) others += atoi(entry->d_name) > 64;
  report(others ? "ESCAPED" : "contained", "/proc", others ? "shows the host's processes" : "own processes only");

  /* The host's abstract sockets belong to its network namespace. */
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int length = snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "%s", argv[2]);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  MUST_FAIL("an abstract socket of the host", connect(fd, (void *)&address, sizeof(sa_family_t) + 1 + length));
  return done();
}
