/* In a container whose image has symbolic links to the host's canary folder: argv[1] is its path. */
#include "report.h"

int main(int argc, char **argv) {
  char path[512], line[1024];
  (void)argc;
  snprintf(path, sizeof path, "%s/secret", argv[1]);
  if (access(path, F_OK) == 0)
    report("ESCAPED", path, "the host's file is visible");
  else
    report("contained", path, strerrorname_np(errno));
  FILE *mounts = fopen("/proc/self/mountinfo", "r");
  while (mounts && fgets(line, sizeof line, mounts)) {
    char root[512];
    if (sscanf(line, "%*d %*d %*s %*s %511s", root) == 1 && strstr(root, "//deleted")) report("ESCAPED", "mount", root);
  }
  return done();
}
