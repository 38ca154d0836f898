/* On the host: makes a session keyring with a key of the name argv[1] and runs the rest in it. */
#include <linux/keyctl.h>
#include "report.h"

int main(int argc, char **argv) {
  if (argc < 3 || syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, 0) < 0) return 125;
  long key = syscall(SYS_add_key, "user", argv[1], "secret", 6, KEY_SPEC_SESSION_KEYRING);
  if (key < 0 || syscall(SYS_keyctl, KEYCTL_SETPERM, key, 0x3f3f3f3f) < 0) return 125;
  execv(argv[2], argv + 2);
  return 125;
}
