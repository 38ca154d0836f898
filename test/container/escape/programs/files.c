/* Writes to /proc and /sys, and what is masked there. */
#include <dirent.h>
#include "report.h"

static void must_be_empty(const char *path) {
  struct stat status;
  if (stat(path, &status)) {
    if (errno != ENOENT) report("refused", path, strerrorname_np(errno));
    return;
  }
  if (S_ISDIR(status.st_mode)) {
    DIR *folder = opendir(path);
    int entries = 0;
    for (struct dirent *entry; folder && (entry = readdir(folder));) entries += entry->d_name[0] != '.';
    if (folder) closedir(folder);
    report(entries ? "ESCAPED" : "contained", path, entries ? "has entries" : "empty");
    return;
  }
  char byte;
  int fd = open(path, O_RDONLY | O_NONBLOCK);
  if (fd < 0) {
    report("refused", path, strerrorname_np(errno));
    return;
  }
  long count = read(fd, &byte, 1);
  if (count > 0)
    report("ESCAPED", path, "can be read");
  else
    report("contained", path, count ? strerrorname_np(errno) : "empty");
  close(fd);
}

int main(void) {
  static const char *const writable[] = {
      "/proc/sysrq-trigger",       "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe",
      "/proc/sys/kernel/hotplug",  "/proc/sys/kernel/sysrq",        "/proc/sys/vm/panic_on_oom",
      "/proc/sys/vm/drop_caches",  "/proc/sys/fs/file-max",         "/proc/sys/fs/binfmt_misc/register",
      "/proc/sys/net/ipv4/ip_forward", "/proc/sys/kernel/ns_last_pid", "/proc/irq/default_smp_affinity",
      "/proc/bus/pci/devices",     "/proc/fs/ext4",                 "/proc/mtrr",
      "/sys/kernel/uevent_helper", "/sys/power/state",              "/sys/kernel/mm/transparent_hugepage/enabled",
      "/sys/kernel/mm/ksm/run",    "/sys/module/kernel/parameters/panic", "/sys/fs/cgroup/release_agent",
      "/sys/devices/virtual/block/loop0/queue/read_ahead_kb",       "/sys/class/mem/null/uevent",
      "/sys/kernel/profiling",     "/sys/bus/pci/rescan",           "/sys/devices/system/cpu/cpu1/online",
  };
  static const char *const masked[] = {
      "/proc/kcore",       "/proc/keys",       "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats",
      "/proc/sched_debug", "/proc/acpi",       "/proc/asound",        "/proc/scsi",       "/sys/firmware",
      "/sys/devices/virtual/powercap",
  };
  for (size_t i = 0; i < sizeof writable / sizeof *writable; i++) {
    struct stat status;
    if (stat(writable[i], &status) == 0 && S_ISDIR(status.st_mode)) continue;
    must_not_open(writable[i], O_WRONLY);
  }
  for (size_t i = 0; i < sizeof masked / sizeof *masked; i++) must_be_empty(masked[i]);
  /* A second way to the same files: as the folder of a thread, and through the process's root. */
  must_not_open("/proc/self/root/proc/sys/kernel/core_pattern", O_WRONLY);
  must_not_open("/proc/1/root/proc/sysrq-trigger", O_WRONLY);
  return done();
}
