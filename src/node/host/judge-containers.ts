/** Containers on this host's kernel: the os technique. */
import type { HostFacts } from "./facts.js";
import { ALL_IDS } from "./namespaces.js";
import { type Finding, limited, unusable } from "./verdict.js";

/** Without these there is no container worth the name. */
const NEEDED_NAMESPACES = ["mnt", "pid", "net", "ipc", "uts"];
const WANTED_NAMESPACES = ["cgroup", "time"];
/** Each list's names mean the same in cgroups v1 and v2. */
const WANTED_CONTROLLERS = [["cpu"], ["memory"], ["pids"], ["io", "blkio"], ["cpuset"]];

const NO_CONTAINERS = "no containers on this kernel; a virtual machine isolates instead";

type OsFacts = Pick<HostFacts, "system" | "namespaces" | "cgroups" | "security" | "fileSystems">;

export function judgeContainers(facts: OsFacts): Finding[] {
  const { system } = facts;
  if (system.platform !== "linux") {
    const why = `containers are made by Linux, and this is ${system.platform}`;
    return [unusable(why, NO_CONTAINERS, "run Ringvisor on a Linux host")];
  }
  return [
    ...judgeKinds(facts),
    ...judgeUserNamespaces(facts),
    ...judgeCgroups(facts),
    ...judgeOverlay(facts),
    ...judgeSeccomp(facts),
  ];
}

function judgeKinds({ namespaces }: OsFacts): Finding[] {
  const findings: Finding[] = [];
  const missing = (names: readonly string[]) => names.filter((name) => !namespaces.kinds.includes(name));
  const needed = missing(NEEDED_NAMESPACES);
  if (needed.length > 0) {
    const why = `the kernel has no namespaces of the kinds ${needed.join(", ")}`;
    findings.push(unusable(why, NO_CONTAINERS, "boot a kernel with CONFIG_NAMESPACES and all below it"));
  }
  const wanted = missing(WANTED_NAMESPACES);
  if (needed.length === 0 && wanted.length > 0) {
    const why = `the kernel has no namespaces of the kinds ${wanted.join(", ")}`;
    findings.push(limited(why, "containers see the host's there", "boot a newer kernel (5.6 has them all)"));
  }
  return findings;
}

function judgeUserNamespaces({ system, namespaces, security }: OsFacts): Finding[] {
  const obstacle = findObstacle({ namespaces, security });
  const oneUser = "a container has one user, its root: programs that change to another user fail";
  if (security.sysAdmin) {
    const { mappedIds } = namespaces.userNamespaces;
    if (mappedIds === 1) {
      const why = "this process is in a user namespace that maps one id";
      return [limited(why, oneUser, "start Ringvisor outside of it, or map more ids to it")];
    }
    if (obstacle === null) return [];
    const consequence = "root in a container is root of the host, held by capabilities and seccomp alone";
    return [limited(obstacle.why, consequence, obstacle.remedy)];
  }
  if (obstacle !== null)
    return [unusable(obstacle.why, `only root can make containers: ${NO_CONTAINERS}`, obstacle.remedy)];
  const user = system.user.name ?? String(system.user.uid);
  if (namespaces.subuid.helper === null || namespaces.subgid.helper === null) {
    return [limited("newuidmap or newgidmap is not installed", oneUser, "install them (Debian: apt install uidmap)")];
  }
  if (namespaces.subuid.count === 0 || namespaces.subgid.count === 0) {
    const remedy = `sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${user}`;
    return [limited(`/etc/subuid or /etc/subgid grants no ids to ${user}`, oneUser, remedy)];
  }
  if (security.noNewPrivileges) {
    const why = "this process has no_new_privs set, under which newuidmap gains no privilege";
    return [limited(why, oneUser, "start Ringvisor outside of the sandbox that sets it")];
  }
  return [];
}

function findObstacle({
  namespaces,
  security,
}: Pick<OsFacts, "namespaces" | "security">): { why: string; remedy: string } | null {
  const { maximum, unprivilegedClone, apparmorRestricted, tried, refusal } = namespaces.userNamespaces;
  if (!namespaces.kinds.includes("user")) {
    return { why: "the kernel has no user namespaces", remedy: "boot a kernel with CONFIG_USER_NS" };
  }
  if (maximum === 0) {
    return {
      why: "no user namespaces are allowed: user.max_user_namespaces is 0",
      remedy: "sudo sysctl -w user.max_user_namespaces=15000",
    };
  }
  if (!security.sysAdmin && unprivilegedClone === false) {
    return {
      why: "user namespaces are for root only: kernel.unprivileged_userns_clone is 0",
      remedy: "sudo sysctl -w kernel.unprivileged_userns_clone=1",
    };
  }
  if (!security.sysAdmin && apparmorRestricted === true) {
    return {
      why: "AppArmor leaves user namespaces of unprivileged users without capabilities",
      remedy: "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or a profile that allows userns",
    };
  }
  if (tried === false) {
    return {
      why: `a user namespace was refused${refusal ? `: ${refusal}` : ""}`,
      remedy: security.seccomp.confined
        ? "start the container around Ringvisor with a seccomp profile that allows unshare and clone"
        : "look for a sandbox or security module that forbids it",
    };
  }
  return null;
}

function judgeCgroups({ cgroups, security }: OsFacts): Finding[] {
  if (cgroups.version === "none") {
    const remedy = "mount them: sudo mount -t cgroup2 none /sys/fs/cgroup";
    return [limited("no cgroups are mounted", "containers have no limits of memory, CPU time or processes", remedy)];
  }
  const findings: Finding[] = [];
  if (cgroups.version !== "v2") {
    const why = `cgroups are ${cgroups.version === "v1" ? "version 1" : "hybrid: the controllers are version 1"}`;
    const consequence = "limits by v1's controllers: none for writes that the kernel buffers, and none without root";
    findings.push(
      limited(why, consequence, "boot with systemd.unified_cgroup_hierarchy=1 on the kernel's command line"),
    );
  }
  const absent = WANTED_CONTROLLERS.filter((names) => !names.some((name) => cgroups.controllers.includes(name)));
  if (absent.length > 0) {
    const names = absent.map(([name]) => name).join(", ");
    const remedy =
      cgroups.version === "v2"
        ? "delegate them: systemd's Delegate=yes for the service or user, or a kernel that has them"
        : "boot a kernel that has them, with their hierarchies mounted";
    findings.push(limited(`no cgroup controllers ${names} here`, `no limits of ${names}`, remedy));
  }
  if (cgroups.controllers.length > 0 && cgroups.writable.length === 0) {
    const remedy = security.sysAdmin
      ? "mount /sys/fs/cgroup writable (in a container: --cgroupns=private, or --privileged)"
      : cgroups.version === "v2"
        ? "run as root, or under systemd-run --user --scope -p Delegate=yes"
        : "run as root";
    findings.push(limited("this process may not make cgroups", "containers have no limits of their own", remedy));
  }
  return findings;
}

function judgeOverlay({ fileSystems, security, namespaces }: OsFacts): Finding[] {
  const consequence = "an image's layers are copied for each container: slower to start, and more disk";
  if (fileSystems.overlay === "absent") {
    return [limited("the kernel has no overlay file system", consequence, "boot a kernel with CONFIG_OVERLAY_FS")];
  }
  // CAP_SYS_ADMIN of a user namespace counts for less than root's.
  const isRoot = security.sysAdmin && namespaces.userNamespaces.mappedIds === ALL_IDS;
  if (!isRoot && !fileSystems.overlayRootless) {
    return [limited("only root may mount an overlay on this kernel", consequence, "boot Linux 5.11 or later")];
  }
  return [];
}

function judgeSeccomp({ security }: OsFacts): Finding[] {
  if (security.seccomp.filters) return [];
  return [
    limited(
      "the kernel has no seccomp filters",
      "containers reach all of the kernel's system calls",
      "boot a kernel with CONFIG_SECCOMP_FILTER",
    ),
  ];
}
