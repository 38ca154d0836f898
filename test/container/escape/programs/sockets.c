/* Raw sockets. With "raw" the container has CAP_NET_RAW: then they see its own network only. */
#include <ifaddrs.h>
#include <linux/if_ether.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include "report.h"

int main(int argc, char **argv) {
  int raw = argc > 1 && !strcmp(argv[1], "raw");
  static const struct {
    const char *name;
    int family, type, protocol;
  } kinds[] = {
      {"raw IPv4", AF_INET, SOCK_RAW, IPPROTO_ICMP},
      {"raw IPv6", AF_INET6, SOCK_RAW, IPPROTO_ICMPV6},
      {"packets", AF_PACKET, SOCK_RAW, 0},
  };
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    int fd = socket(kinds[i].family, kinds[i].type, kinds[i].protocol);
    if (fd < 0)
      report("refused", kinds[i].name, strerrorname_np(errno));
    else
      report(raw ? "contained" : "ESCAPED", kinds[i].name, raw ? "in its own network" : NULL);
  }
  struct if_nameindex *all = if_nameindex();
  for (struct if_nameindex *one = all; one && one->if_name; one++)
    if (strcmp(one->if_name, "lo") && strcmp(one->if_name, "sit0") && strcmp(one->if_name, "tunl0"))
      report("ESCAPED", one->if_name, "an interface of the host");
  report("contained", "interfaces", "its own");
  int audit = socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT);
  struct {
    struct nlmsghdr head;
    char data[16];
  } message = {.head = {.nlmsg_len = sizeof message,
                        .nlmsg_type = 1105 /* AUDIT_USER */,
                        .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK}};
  struct {
    struct nlmsghdr head;
    struct nlmsgerr error;
  } answer = {0};
  errno = 0;
  if (audit >= 0 && send(audit, &message, sizeof message, 0) > 0 && recv(audit, &answer, sizeof answer, 0) > 0)
    errno = -answer.error.error;
  MUST_FAIL("a message to the audit log", errno ? -1 : 0);
  /* Filtering of packets, routes and links belong to CAP_NET_ADMIN. */
  int control = socket(AF_INET, SOCK_DGRAM, 0);
  struct ifreq request = {.ifr_name = "lo"};
  request.ifr_flags = IFF_UP | IFF_PROMISC;
  MUST_FAIL("change an interface", ioctl(control, 0x8914 /* SIOCSIFFLAGS */, &request));
  return done();
}
