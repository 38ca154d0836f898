/* What an attack found, a line each: "refused WHAT: WHY", "contained WHAT: HOW", "ESCAPED WHAT". */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline void report(const char *verdict, const char *what, const char *how) {
  printf("%s %s%s%s\n", verdict, what, how ? ": " : "", how ? how : "");
  fflush(stdout);
}

/* The system call has to fail. Evaluates once; the result stays usable. */
#define MUST_FAIL(what, call)                                                                              \
  ({                                                                                                       \
    long result_ = (long)(call);                                                                           \
    if (result_ < 0)                                                                                       \
      report("refused", what, strerrorname_np(errno));                                                     \
    else                                                                                                   \
      report("ESCAPED", what, NULL);                                                                       \
    result_;                                                                                               \
  })

/* Opening for writing is enough to know: nothing is ever written to the host. */
static inline void must_not_open(const char *path, int flags) {
  int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0 && errno == ENOENT) return;
  if (fd < 0) {
    report("refused", path, strerrorname_np(errno));
    return;
  }
  report("ESCAPED", path, flags == O_RDONLY ? "can be read" : "can be written");
  close(fd);
}

static inline int done(void) {
  puts("done");
  return 0;
}
