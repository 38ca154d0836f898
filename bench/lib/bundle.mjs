// Bundles for bench/containers.mjs: what an engine asks for by default, and the same without a part of it.
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const CAPABILITIES = [
  ...["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP"],
  ...["CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE"],
];
/** As containers' default profiles are built: a long list that is allowed, the rest an error. */
const SECCOMP = {
  defaultAction: "SCMP_ACT_ERRNO",
  architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
  syscalls: [
    {
      names: [
        ..."accept accept4 access arch_prctl bind brk capget capset chdir chmod chown clock_gettime clone close".split(
          " ",
        ),
        ..."connect dup dup2 dup3 epoll_create1 epoll_ctl epoll_wait eventfd2 execve execveat exit exit_group".split(
          " ",
        ),
        ..."faccessat faccessat2 fchdir fchmod fchown fcntl fork fstat fstatfs fsync futex getcwd getdents64".split(
          " ",
        ),
        ..."getegid geteuid getgid getpid getppid getrandom getrlimit getsockname gettid getuid ioctl kill lseek".split(
          " ",
        ),
        ..."madvise mkdir mmap mprotect munmap nanosleep newfstatat open openat pause pipe2 poll prctl pread64".split(
          " ",
        ),
        ..."prlimit64 pwrite64 read readlink readlinkat readv recvfrom recvmsg rename rseq rt_sigaction".split(" "),
        ..."rt_sigprocmask rt_sigreturn sched_getaffinity sched_yield sendmsg sendto set_robust_list".split(" "),
        ..."set_tid_address setgid setgroups setpgid setsid setsockopt setuid sigaltstack socket stat statfs".split(
          " ",
        ),
        ..."statx sysinfo tgkill umask uname unlink unlinkat vfork wait4 write writev".split(" "),
      ],
      action: "SCMP_ACT_ALLOW",
    },
    { names: ["personality"], action: "SCMP_ACT_ALLOW", args: [{ index: 0, value: 0, op: "SCMP_CMP_EQ" }] },
  ],
};

function config(program, args) {
  return {
    ociVersion: "1.0.2",
    root: { path: "rootfs" },
    hostname: "bench",
    process: {
      cwd: "/",
      args: [program, ...args],
      env: ["PATH=/"],
      user: { uid: 0, gid: 0 },
      noNewPrivileges: true,
      capabilities: { bounding: CAPABILITIES, effective: CAPABILITIES, permitted: CAPABILITIES },
      rlimits: [{ type: "RLIMIT_NOFILE", soft: 1024, hard: 1024 }],
    },
    mounts: [
      { destination: "/proc", type: "proc", source: "proc", options: ["nosuid", "noexec", "nodev"] },
      { destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "strictatime", "mode=755"] },
      {
        destination: "/dev/pts",
        type: "devpts",
        source: "devpts",
        options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666"],
      },
      { destination: "/dev/shm", type: "tmpfs", source: "shm", options: ["nosuid", "noexec", "nodev", "size=64m"] },
      { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: ["nosuid", "noexec", "nodev"] },
      { destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", "ro"] },
      { destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["nosuid", "noexec", "nodev", "ro"] },
    ],
    linux: {
      resources: {
        devices: [{ allow: false, access: "rwm" }],
        memory: { limit: 64 << 20 },
        cpu: { shares: 512, quota: 50000, period: 100000 },
        pids: { limit: 100 },
      },
      namespaces: ["pid", "network", "ipc", "uts", "mount", "cgroup"].map((type) => ({ type })),
      maskedPaths: [
        "/proc/acpi",
        "/proc/kcore",
        "/proc/keys",
        "/proc/latency_stats",
        "/proc/timer_list",
        "/sys/firmware",
      ],
      readonlyPaths: ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
      seccomp: SECCOMP,
    },
  };
}

/** Each takes a part out of the whole. */
export const VARIANTS = {
  full: { says: "the whole", change: (whole) => whole },
  "no-seccomp": {
    says: "no seccomp filter",
    change: ({ linux: { seccomp: _, ...linux }, ...whole }) => ({ ...whole, linux }),
  },
  "no-limits": {
    says: "no limits",
    change: ({ linux: { resources: _, ...linux }, ...whole }) => ({ ...whole, linux }),
  },
  "no-network": {
    says: "no network namespace",
    change: ({ linux, ...whole }) => ({
      ...whole,
      linux: { ...linux, namespaces: linux.namespaces.filter(({ type }) => type !== "network") },
    }),
  },
  "few-mounts": {
    says: "no mounts but /proc",
    change: ({ mounts, linux: { maskedPaths: _, readonlyPaths: __, ...linux }, ...whole }) => ({
      ...whole,
      linux,
      mounts: mounts.slice(0, 1),
    }),
  },
};

/** @param program a static program, the container's first; @returns the bundle's folder */
export function makeBundle(folder, program, variant, args = []) {
  for (const name of ["proc", "dev", "sys"]) mkdirSync(join(folder, "rootfs", name), { recursive: true });
  copyFileSync(program, join(folder, "rootfs/program"));
  writeFileSync(join(folder, "config.json"), JSON.stringify(VARIANTS[variant].change(config("/program", args))));
  return folder;
}
