/* What the runtime left open, and where the working directory is. argv[1]: path of the host's canary. */
#include <dirent.h>
#include <limits.h>
#include "report.h"

int main(int argc, char **argv) {
  const char *canary = argv[argc - 1];
  char path[PATH_MAX], link[64];
  DIR *folder = opendir("/proc/self/fd");
  int leaked = 0;
  for (struct dirent *entry; folder && (entry = readdir(folder));) {
    int fd = atoi(entry->d_name);
    if (entry->d_name[0] == '.' || fd == dirfd(folder) || fd <= 2) continue;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    long length = readlink(link, path, sizeof path - 1);
    path[length > 0 ? length : 0] = 0;
    report("ESCAPED", link, path);
    leaked++;
  }
  if (!leaked) report("contained", "descriptors", "only the standard streams");
  /* A standard stream must not be a folder that leads out. */
  for (int fd = 0; fd <= 2; fd++) {
    char up[64];
    snprintf(up, sizeof up, "/proc/self/fd/%d/..", fd);
    if (access(up, F_OK) == 0) report("ESCAPED", up, "a folder");
  }
  if (!getcwd(path, sizeof path))
    report("contained", "working directory", strerrorname_np(errno));
  else if (path[0] != '/')
    report("ESCAPED", "working directory", path);
  else
    report("contained", "working directory", path);
  for (int depth = 0; depth < 16; depth++) {
    size_t used = 0;
    for (int i = 0; i < depth; i++) used += snprintf(path + used, sizeof path - used, "../");
    snprintf(path + used, sizeof path - used, "%s", canary + (depth > 0));
    if (access(path, F_OK) == 0) report("ESCAPED", path, "the host's file is visible");
  }
  for (char **one = environ; *one; one++)
    if (!strncmp(*one, "HOST_SECRET=", 12)) report("ESCAPED", "environment", *one);
  return done();
}
