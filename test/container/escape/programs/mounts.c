/* Mount tricks, first with the container's capabilities, then with all of a user namespace of its own. */
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include "report.h"

static const char *canary;

static void look_for_the_host(const char *from) {
  char path[512];
  snprintf(path, sizeof path, "%s%s", from, canary);
  if (access(path, F_OK) == 0)
    report("ESCAPED", path, "the host's file is visible");
  else
    report("contained", path, strerrorname_np(errno));
}

/* The classic: a folder that stays open above a new root. It leads up to the container's own root, no further. */
static void leave_chroot(void) {
  mkdir("/tmp/cage", 0700);
  int outside = open("/", O_RDONLY | O_DIRECTORY);
  if (chroot("/tmp/cage") || fchdir(outside)) {
    report("refused", "chroot", strerrorname_np(errno));
    return;
  }
  for (int i = 0; i < 64; i++)
    if (chdir("..")) break;
  if (chroot(".")) return;
  look_for_the_host("");
}

static void write_file(const char *path, const char *text) {
  int fd = open(path, O_WRONLY);
  if (fd < 0) return;
  if (write(fd, text, strlen(text)) < 0) report("contained", path, strerrorname_np(errno));
  close(fd);
}

static void tricks(const char *who) {
  char name[128];
#define NAME(text) (snprintf(name, sizeof name, "%s (%s)", text, who), name)
  MUST_FAIL(NAME("umount /proc/sys"), umount2("/proc/sys", MNT_DETACH));
  MUST_FAIL(NAME("umount /proc/kcore"), umount2("/proc/kcore", MNT_DETACH));
  MUST_FAIL(NAME("umount /sys/firmware"), umount2("/sys/firmware", MNT_DETACH));
  MUST_FAIL(NAME("remount /proc/sys writable"), mount(0, "/proc/sys", 0, MS_REMOUNT | MS_BIND, 0));
  MUST_FAIL(NAME("remount /sys writable"), mount(0, "/sys", 0, MS_REMOUNT | MS_BIND, 0));
  MUST_FAIL(NAME("remount / writable"), mount(0, "/", 0, MS_REMOUNT, "rw"));
  MUST_FAIL(NAME("umount /"), umount2("/", MNT_DETACH));
  MUST_FAIL(NAME("a new proc"), mount("proc", "/mnt", "proc", 0, 0));
  MUST_FAIL(NAME("a new sysfs"), mount("sysfs", "/mnt", "sysfs", 0, 0));
  MUST_FAIL(NAME("a new devtmpfs"), mount("devtmpfs", "/mnt", "devtmpfs", 0, 0));
  MUST_FAIL(NAME("a new cgroup"), mount("cgroup", "/mnt", "cgroup", 0, "memory"));
  MUST_FAIL(NAME("a disk"), mount("/dev/evil", "/mnt", "ext4", MS_RDONLY, 0));
  must_not_open("/proc/sys/kernel/core_pattern", O_WRONLY);
  must_not_open("/proc/sysrq-trigger", O_WRONLY);
}

int main(int argc, char **argv) {
  canary = argv[argc - 1];
  MUST_FAIL("mount a tmpfs", mount("tmpfs", "/mnt", "tmpfs", 0, 0));
  MUST_FAIL("bind / elsewhere", mount("/", "/mnt", 0, MS_BIND | MS_REC, 0));
  MUST_FAIL("move /proc", mount("/proc", "/mnt", 0, MS_MOVE, 0));
  MUST_FAIL("make / shared", mount(0, "/", 0, MS_REC | MS_SHARED, 0));
  MUST_FAIL("open_tree", syscall(428, AT_FDCWD, "/", 1 /* OPEN_TREE_CLONE */));
  MUST_FAIL("fsopen", syscall(430, "proc", 0));
  MUST_FAIL("pivot_root", syscall(SYS_pivot_root, "/mnt", "/mnt"));
  MUST_FAIL("unshare mounts", unshare(CLONE_NEWNS));
  tricks("container");
  look_for_the_host("/proc/1/root");
  look_for_the_host("/proc/1/cwd");
  fflush(stdout);

  pid_t child = fork();
  if (child == 0) {
    leave_chroot();
    exit(0);
  }
  waitpid(child, 0, 0);

  if (unshare(CLONE_NEWUSER | CLONE_NEWNS)) {
    report("refused", "a user namespace", strerrorname_np(errno));
    return done();
  }
  write_file("/proc/self/setgroups", "deny");
  write_file("/proc/self/uid_map", "0 0 1");
  write_file("/proc/self/gid_map", "0 0 1");
  tricks("user namespace");
  look_for_the_host("");
  if (mount(0, "/", 0, MS_REC | MS_SLAVE, 0)) report("contained", "make / a slave", strerrorname_np(errno));
  /* What lies under the mount that hides it. */
  if (mount("/proc", "/mnt", 0, MS_BIND, 0) == 0)
    must_not_open("/mnt/sys/kernel/core_pattern", O_WRONLY);
  else
    report("refused", "bind /proc without what is over it", strerrorname_np(errno));
  return done();
}
