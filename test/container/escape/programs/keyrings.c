/* The runtime's keys: argv[1] is the description of one in its session keyring. */
#include <linux/keyctl.h>
#include "report.h"

int main(int argc, char **argv) {
  (void)argc;
  long key = syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, "user", argv[1], 0);
  if (key >= 0)
    report("ESCAPED", "the runtime's session keyring", "a key is found");
  else
    report("refused", "the runtime's session keyring", strerrorname_np(errno));
  MUST_FAIL("request_key", syscall(SYS_request_key, "user", argv[1], 0, 0));
  return done();
}
