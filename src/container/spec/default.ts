/** The configuration that `spec` writes: a container with every namespace, few capabilities and no way to new ones. */
import type { Config, Linux, Mount } from "./config.js";

export const OCI_VERSION = "1.2.0";

const CAPABILITIES = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"];
/** What /proc and /sys say about the host, or let a container do to it. */
const MASKED_PATHS = [
  ...["/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats"],
  ...["/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware"],
  ...["/sys/devices/virtual/powercap"],
];
const READONLY_PATHS = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

const MOUNTS: readonly Mount[] = [
  { destination: "/proc", type: "proc", source: "proc" },
  {
    destination: "/dev",
    type: "tmpfs",
    source: "tmpfs",
    options: ["nosuid", "strictatime", "mode=755", "size=65536k"],
  },
  {
    destination: "/dev/pts",
    type: "devpts",
    source: "devpts",
    options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
  },
  {
    destination: "/dev/shm",
    type: "tmpfs",
    source: "shm",
    options: ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"],
  },
  { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: ["nosuid", "noexec", "nodev"] },
  { destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", "ro"] },
  {
    destination: "/sys/fs/cgroup",
    type: "cgroup",
    source: "cgroup",
    options: ["nosuid", "noexec", "nodev", "relatime", "ro"],
  },
];

const LINUX: Linux = {
  resources: { devices: [{ allow: false, access: "rwm" }] },
  namespaces: [
    { type: "pid" },
    { type: "network" },
    { type: "ipc" },
    { type: "uts" },
    { type: "mount" },
    { type: "cgroup" },
  ],
  maskedPaths: MASKED_PATHS,
  readonlyPaths: READONLY_PATHS,
};

export const DEFAULT_CONFIG: Config = {
  ociVersion: OCI_VERSION,
  process: {
    terminal: true,
    user: { uid: 0, gid: 0 },
    args: ["sh"],
    env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
    cwd: "/",
    capabilities: { bounding: CAPABILITIES, effective: CAPABILITIES, permitted: CAPABILITIES },
    rlimits: [{ type: "RLIMIT_NOFILE", hard: 1024, soft: 1024 }],
    noNewPrivileges: true,
  },
  root: { path: "rootfs", readonly: true },
  hostname: "ringvisor",
  mounts: MOUNTS,
  linux: LINUX,
};

/** The same for a user without privileges, who is root inside. */
export function rootlessConfig(uid: number, gid: number): Config {
  const mounts = MOUNTS.filter(({ type }) => type !== "cgroup").map((mount) => {
    if (mount.type === "sysfs") {
      // sysfs belongs to whoever owns the network namespace: the host's, bound.
      return { ...mount, type: "none", source: "/sys", options: ["rbind", "nosuid", "noexec", "nodev", "ro"] };
    }
    return { ...mount, options: mount.options?.filter((option) => !/^[ug]id=/.test(option)) };
  });
  const namespaces = [...(LINUX.namespaces ?? []).filter(({ type }) => type !== "network"), { type: "user" } as const];
  const linux = {
    ...LINUX,
    namespaces,
    resources: undefined,
    uidMappings: [{ containerID: 0, hostID: uid, size: 1 }],
    gidMappings: [{ containerID: 0, hostID: gid, size: 1 }],
  };
  return { ...DEFAULT_CONFIG, mounts, linux };
}
