/* Ways out of, and up in, the control groups. */
#include <dirent.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include "report.h"

static void try_files(const char *folder) {
  static const char *const names[] = {"cgroup.procs", "tasks", "release_agent", "notify_on_release",
                                      "memory.limit_in_bytes", "memory.max", "pids.max", "cpu.cfs_quota_us",
                                      "cpu.max", "devices.allow", "cpuset.cpus", "cgroup.subtree_control",
                                      "freezer.state", "cgroup.kill"};
  char path[512];
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    snprintf(path, sizeof path, "%s/%s", folder, names[i]);
    must_not_open(path, O_WRONLY);
  }
  snprintf(path, sizeof path, "%s/escape", folder);
  /* The folder of the hierarchies may be a tmpfs of the container's own: a folder there is no group. */
  struct statfs status;
  if (statfs(folder, &status) == 0 && (status.f_type == CGROUP_SUPER_MAGIC || status.f_type == CGROUP2_SUPER_MAGIC))
    MUST_FAIL(path, mkdir(path, 0700));
}

static void every_hierarchy(void) {
  char path[300];
  DIR *root = opendir("/sys/fs/cgroup");
  try_files("/sys/fs/cgroup");
  for (struct dirent *entry; root && (entry = readdir(root));) {
    if (entry->d_type != DT_DIR || entry->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "/sys/fs/cgroup/%s", entry->d_name);
    try_files(path);
  }
}

int main(void) {
  every_hierarchy();
  MUST_FAIL("mount cgroup", mount("cgroup", "/mnt", "cgroup", 0, "memory"));
  MUST_FAIL("mount cgroup2", mount("cgroup2", "/mnt", "cgroup2", 0, 0));
  MUST_FAIL("a cgroup namespace", unshare(CLONE_NEWCGROUP));
  /* CVE-2022-0492: a user namespace gives what mounting needs; release_agent must still be out of reach. */
  if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWCGROUP)) {
    report("refused", "user and cgroup namespaces", strerrorname_np(errno));
    return done();
  }
  int fd = open("/proc/self/uid_map", O_WRONLY);
  if (fd >= 0 && write(fd, "0 0 1", 5) < 0) report("contained", "uid_map", strerrorname_np(errno));
  static const char *const controllers[] = {"memory", "pids", "cpu", "devices", "rdma", "misc", "none,name=escape"};
  for (size_t i = 0; i < sizeof controllers / sizeof *controllers; i++) {
    if (mount("cgroup", "/mnt", "cgroup", 0, controllers[i])) {
      report("refused", controllers[i], strerrorname_np(errno));
      continue;
    }
    must_not_open("/mnt/release_agent", O_WRONLY);
    /* Root's, so it opens; the kernel looks at capabilities when a rule is written. */
    int rules = open("/mnt/devices.allow", O_WRONLY);
    if (rules >= 0) MUST_FAIL("allow a device", write(rules, "b *:* r", 7));
    umount2("/mnt", MNT_DETACH);
  }
  MUST_FAIL("remount cgroups writable", mount(0, "/sys/fs/cgroup", 0, MS_REMOUNT | MS_BIND, 0));
  every_hierarchy();
  return done();
}
