// Bundles: the same for every runtime. What the engines give by default, without their seccomp profile: the
// runtime's own layers have to hold without it.
import { chmodSync, copyFileSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** podman's default capabilities. */
const CAPABILITIES = [
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_FOWNER",
  "CAP_FSETID",
  "CAP_KILL",
  "CAP_NET_BIND_SERVICE",
  "CAP_SETFCAP",
  "CAP_SETGID",
  "CAP_SETPCAP",
  "CAP_SETUID",
  "CAP_SYS_CHROOT",
];

const MASKED = [
  ...["/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list"],
  ...["/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap"],
];
const READ_ONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/** The mounts of a container; options as the engines write them. */
function mounts() {
  const tmpfs = (destination, source, ...options) => ({ destination, type: "tmpfs", source, options });
  return [
    { destination: "/proc", type: "proc", source: "proc" },
    tmpfs("/dev", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
    {
      destination: "/dev/pts",
      type: "devpts",
      source: "devpts",
      options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
    },
    tmpfs("/dev/shm", "shm", "nosuid", "noexec", "nodev", "mode=1777", "size=16m"),
    { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: ["nosuid", "noexec", "nodev"] },
    { destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", "ro"] },
    {
      destination: "/sys/fs/cgroup",
      type: "cgroup",
      source: "cgroup",
      options: ["nosuid", "noexec", "nodev", "relatime", "ro"],
    },
    tmpfs("/tmp", "tmpfs", "nosuid", "nodev", "mode=1777", "size=16m", "nr_inodes=1024"),
  ];
}

/** What the engines' default profiles refuse, as a list of denials: the same attacks must end earlier. */
export const SECCOMP = {
  defaultAction: "SCMP_ACT_ALLOW",
  architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
  syscalls: [
    {
      names: [
        ...["add_key", "request_key", "keyctl", "bpf", "perf_event_open", "userfaultfd", "unshare", "setns", "mount"],
        ...["umount2", "pivot_root", "open_tree", "move_mount", "fsopen", "open_by_handle_at", "ptrace", "kexec_load"],
        ...["process_vm_readv", "process_vm_writev", "init_module", "finit_module", "reboot", "swapon", "iopl"],
      ],
      action: "SCMP_ACT_ERRNO",
      errnoRet: 1,
    },
    // CLONE_NEWUSER; clone3's flags are in memory, where a filter cannot see them.
    {
      names: ["clone"],
      action: "SCMP_ACT_ERRNO",
      args: [{ index: 0, value: 0x1000_0000, valueTwo: 0x1000_0000, op: "SCMP_CMP_MASKED_EQ" }],
    },
    { names: ["clone3"], action: "SCMP_ACT_ERRNO", errnoRet: 38 },
  ],
};

/**
 * config.json for a program of the root file system's /bin.
 * @param {string[]} args
 * @param {{capabilities?: string[]}} [more]
 */
export function configFor(args, { capabilities = [] } = {}) {
  const granted = [...CAPABILITIES, ...capabilities];
  return {
    ociVersion: "1.0.2",
    process: {
      terminal: false,
      user: { uid: 0, gid: 0 },
      args,
      env: ["PATH=/bin", "HOME=/"],
      cwd: "/",
      capabilities: { bounding: granted, effective: granted, permitted: granted },
      noNewPrivileges: true,
      rlimits: [{ type: "RLIMIT_NOFILE", hard: 4096, soft: 4096 }],
    },
    root: { path: "rootfs", readonly: false },
    hostname: "cage",
    mounts: mounts(),
    linux: {
      resources: { devices: [{ allow: false, access: "rwm" }] },
      namespaces: ["pid", "network", "ipc", "uts", "mount", "cgroup"].map((type) => ({ type })),
      maskedPaths: MASKED,
      readonlyPaths: READ_ONLY,
    },
  };
}

/** Limits within which a container cannot starve the others. */
export function limit(config) {
  Object.assign(config.linux.resources, {
    pids: { limit: 64 },
    memory: { limit: 64 << 20, swap: 64 << 20 },
    cpu: { shares: 128, quota: 50_000, period: 100_000 },
  });
}

/** Makes a bundle's folder: config.json and a root file system of busybox and the programs. */
export function makeBundle(folder, config, programs) {
  const root = join(folder, "rootfs");
  for (const name of ["bin", "mnt", "etc", "proc", "sys", "dev", "tmp"])
    mkdirSync(join(root, name), { recursive: true });
  copyFileSync("/bin/busybox", join(root, "bin/busybox"));
  symlinkSync("busybox", join(root, "bin/sh"));
  for (const name of readdirSync(programs)) copyFileSync(join(programs, name), join(root, "bin", name));
  copyFileSync(join(programs, "privileges"), join(root, "bin/set-uid"));
  chmodSync(join(root, "bin/set-uid"), 0o4755);
  writeFileSync(join(folder, "config.json"), JSON.stringify(config));
  return root;
}
