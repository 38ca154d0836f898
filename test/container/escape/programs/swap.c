/* On the host, as the owner of a volume: exchanges a folder and a symbolic link until it is killed. */
#include "report.h"

int main(int argc, char **argv) {
  (void)argc;
  for (;;) syscall(SYS_renameat2, AT_FDCWD, argv[1], AT_FDCWD, argv[2], 2 /* RENAME_EXCHANGE */);
}
