/* Makes device nodes of the host and opens them for reading. argv[1..]: "b 254 0" of the disk under the bundle. */
#include <sys/sysmacros.h>
#include "report.h"

static void node(const char *what, mode_t type, unsigned major_, unsigned minor_) {
  unlink("/tmp/node");
  if (mknod("/tmp/node", type | 0600, makedev(major_, minor_))) {
    report("refused", what, strerrorname_np(errno));
    return;
  }
  int fd = open("/tmp/node", O_RDONLY | O_NONBLOCK);
  /* No such device: the host has none either, so this says nothing. */
  if (fd < 0 && (errno == ENXIO || errno == ENODEV))
    report("contained", what, strerrorname_np(errno));
  else if (fd < 0)
    report("refused", what, strerrorname_np(errno));
  else
    report("ESCAPED", what, "can be opened");
  if (fd >= 0) close(fd);
}

int main(int argc, char **argv) {
  node("the host's disk", S_IFBLK, atoi(argv[1]), atoi(argv[2]));
  node("/dev/mem", S_IFCHR, 1, 1);
  node("/dev/port", S_IFCHR, 1, 4);
  node("/dev/kmsg", S_IFCHR, 1, 11);
  node("/dev/loop-control", S_IFCHR, 10, 237);
  node("/dev/fuse", S_IFCHR, 10, 229);
  node("/dev/kvm", S_IFCHR, 10, 232);
  node("/dev/net/tun", S_IFCHR, 10, 200);
  node("/dev/tty0", S_IFCHR, 4, 0);
  must_not_open("/dev/mem", O_RDONLY);
  must_not_open("/dev/kmsg", O_RDONLY);
  must_not_open("/dev/vda", O_RDONLY);
  must_not_open("/dev/sda", O_RDONLY);
  /* And those that it has do work. */
  int fd = open("/dev/null", O_RDWR), random = open("/dev/urandom", O_RDONLY);
  char byte;
  if (write(fd, "x", 1) != 1 || read(random, &byte, 1) != 1) report("ESCAPED", "/dev/null or /dev/urandom", "broken");
  return done();
}
