/** From a process in its namespaces to the user's program: credentials, limits, filters, execve(2). */
import { CAPABILITIES, type CapabilityMasks, capabilityMasks, grantableCapabilities } from "../capabilities.js";
import { ContainerError } from "../errors.js";
import type { CompiledSeccomp } from "../seccomp/compile.js";
import type { Config, Process, Rlimit } from "../spec/config.js";
import * as C from "../stage/constants.js";
import type { Address, Slot, StageProgram } from "../stage/program.js";
import { EVENT } from "./events.js";
import { components } from "./in-root.js";

const RLIMITS = [
  ...["RLIMIT_CPU", "RLIMIT_FSIZE", "RLIMIT_DATA", "RLIMIT_STACK", "RLIMIT_CORE", "RLIMIT_RSS", "RLIMIT_NPROC"],
  ...["RLIMIT_NOFILE", "RLIMIT_MEMLOCK", "RLIMIT_AS", "RLIMIT_LOCKS", "RLIMIT_SIGPENDING", "RLIMIT_MSGQUEUE"],
  ...["RLIMIT_NICE", "RLIMIT_RTPRIO", "RLIMIT_RTTIME"],
];

/** The step whose failure means that the program to run is not there. */
export const FIND_PROGRAM = "find the program";
const MAX_CPUS = 8192;
const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const DEVICE_NULL = C.deviceNumber(1, 3);

function rlimitNumber({ type }: Rlimit): number {
  const number = RLIMITS.indexOf(type);
  if (number < 0) throw new ContainerError("SPEC_INVALID", `process.rlimits: unknown limit ${JSON.stringify(type)}`);
  return number;
}

const U64_MAX = 0xffff_ffff_ffff_ffffn;
/** JSON's numbers are doubles: what was 2^64-1 in the file is 2^64 here. -1 is infinity too. */
function limitValue(value: number): bigint {
  if (value < 0 || value >= 2 ** 64) return U64_MAX;
  return BigInt(value);
}

/** Before entering a user namespace, where hard limits cannot be raised any more: raises those that have to be. */
export function raiseHardLimits(program: StageProgram, rlimits: readonly Rlimit[]): void {
  if (rlimits.length === 0) return;
  const old = program.buffer(16);
  const hard = program.slot();
  for (const rlimit of rlimits) {
    const number = rlimitNumber(rlimit);
    const wanted = program.slot();
    program.set(wanted, limitValue(rlimit.hard));
    program.call(`read ${rlimit.type}`, "prlimit64", [0, number, 0, old]);
    program.read(hard, program.at(old, 8), 8);
    program.when(hard, "below", wanted, () => {
      program.write(program.at(old, 8), wanted, 8);
      program.call(`raise ${rlimit.type}`, "prlimit64", [0, number, old, 0], { ignore: "all" });
    });
  }
}

function setLimits(program: StageProgram, rlimits: readonly Rlimit[]): void {
  for (const rlimit of rlimits) {
    const limit = program.words([limitValue(rlimit.soft), limitValue(rlimit.hard)]);
    program.call(`set ${rlimit.type}`, "prlimit64", [0, rlimitNumber(rlimit), limit, 0]);
  }
}

/** Gives the standard streams to the container's user, so that it can open /dev/stdout; the host's /dev/null stays. */
function ownStreams(program: StageProgram, uid: number): void {
  const status = program.buffer(C.STAT.size);
  const device = program.slot();
  const got = program.slot();
  for (const fd of [0, 1, 2]) {
    program.call("look at the standard streams", "fstat", [fd, status], { result: got, ignore: "all" });
    program.when(got, "equal", 0, () => {
      program.read(device, program.at(status, C.STAT.rdev), 8);
      program.when(device, "notEqual", DEVICE_NULL, () => {
        program.call("own the standard streams", "fchown", [fd, uid, -1], { ignore: "all" });
      });
    });
  }
}

function setCapabilities(program: StageProgram, { effective, permitted, inheritable, ambient }: CapabilityMasks): void {
  const low = (mask: bigint) => mask & 0xffffffffn;
  const high = (mask: bigint) => mask >> 32n;
  const header = program.words([C.LINUX_CAPABILITY_VERSION_3]);
  const pair = (left: bigint, right: bigint) => left | (right << 32n);
  const data = program.words([
    pair(low(effective), low(permitted)),
    pair(low(inheritable), high(effective)),
    pair(high(permitted), high(inheritable)),
  ]);
  program.call("set capabilities", "capset", [header, data]);
  program.call("clear ambient capabilities", "prctl", [C.PR_CAP_AMBIENT, C.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0]);
  CAPABILITIES.forEach((name, bit) => {
    if (!((ambient >> BigInt(bit)) & 1n)) return;
    const args = [C.PR_CAP_AMBIENT, C.PR_CAP_AMBIENT_RAISE, bit, 0, 0];
    // As runc: an ambient capability that is not in the other sets is left out.
    program.call(`raise ambient ${name}`, "prctl", args, { ignore: [C.ERRNO.EPERM] });
  });
}

/** Capabilities that this kernel does not have yet are refused with EINVAL. */
function dropBounding(program: StageProgram, { bounding }: CapabilityMasks): void {
  const bit = program.slot();
  const kept = program.slot();
  const flags = program.bytes(Uint8Array.from({ length: 64 }, (_, index) => Number((bounding >> BigInt(index)) & 1n)));
  const at = program.slot();
  const again = program.label();
  const next = program.label();
  program.set(at, flags);
  program.place(again);
  program.readByteAt(kept, at);
  program.jumpIf(kept, "notEqual", 0, next);
  const args = [C.PR_CAPBSET_DROP, bit, 0, 0, 0];
  program.call("drop a capability from the bounding set", "prctl", args, { ignore: [C.ERRNO.EINVAL] });
  program.place(next);
  program.increase(at, 1);
  program.increase(bit, 1);
  program.jumpIf(bit, "less", 64, again);
}

function setUser(program: StageProgram, { user }: Process, { canSetGroups }: { canSetGroups: boolean }): void {
  program.call("keep capabilities", "prctl", [C.PR_SET_KEEPCAPS, 1, 0, 0, 0]);
  const groups = user.additionalGids ?? [];
  if (canSetGroups) {
    const list = new Uint8Array(groups.length * 4);
    const view = new DataView(list.buffer);
    groups.forEach((gid, index) => {
      view.setUint32(index * 4, gid, true);
    });
    program.call("set the additional groups", "setgroups", [groups.length, program.bytes(list)]);
  } else if (groups.length > 0) {
    throw new ContainerError("SPEC_INVALID", "process.user.additionalGids: not possible without privileges");
  }
  program.call(`become group ${user.gid}`, "setresgid", [user.gid, user.gid, user.gid]);
  program.call(`become user ${user.uid}`, "setresuid", [user.uid, user.uid, user.uid]);
}

/** struct sock_fprog, and the filter it points to. */
export function installSeccomp(program: StageProgram, seccomp: CompiledSeccomp, result?: Slot): void {
  const filter = program.bytes(seccomp.program);
  const fprog = program.words([seccomp.program.length / 8, filter]);
  const args = [C.SECCOMP_SET_MODE_FILTER, seccomp.flags, fprog];
  program.call("install the seccomp filter", "seccomp", args, { result });
}

/** Looks for the program as the container's user sees it: the path's address is in the slot. */
function findProgram(program: StageProgram, process: Process): Slot {
  const name = process.args?.[0] as string;
  const found = program.slot();
  const reason = program.slot();
  const got = program.slot();
  const mode = program.slot();
  const status = program.buffer(C.STAT.size);
  const done = program.label();
  program.set(reason, -C.ERRNO.ENOENT);
  const path = process.env?.findLast((entry) => entry.startsWith("PATH="))?.slice("PATH=".length);
  const folders = name.includes("/") ? [""] : (path ?? DEFAULT_PATH).split(":").map((folder) => `${folder || "."}/`);
  for (const folder of new Set(folders)) {
    const candidate = program.string(folder + name);
    const next = program.label();
    program.call(FIND_PROGRAM, "newfstatat", [C.AT_FDCWD, candidate, status, 0], { result: got, ignore: "all" });
    program.jumpIf(got, "equal", -C.ERRNO.ENOENT, next);
    program.jumpIf(got, "equal", -C.ERRNO.ENOTDIR, next);
    program.when(got, "equal", 0, () => {
      program.read(mode, program.at(status, C.STAT.mode), 4);
      program.mask(mode, C.S_IFMT);
      program.set(got, -C.ERRNO.EISDIR);
      program.jumpIf(mode, "equal", C.S_IFDIR, next);
      const access = [C.AT_FDCWD, candidate, 1, C.AT_EACCESS];
      program.call(FIND_PROGRAM, "faccessat2", access, { result: got, ignore: "all" });
      // Seccomp profiles, in force here already, may refuse the newer call, and even the older: execve(2) tells then.
      for (const refusal of [C.ERRNO.EPERM, C.ERRNO.ENOSYS]) {
        program.when(got, "equal", -refusal, () => {
          program.call(FIND_PROGRAM, "faccessat", access.slice(0, 3), { result: got, ignore: "all" });
        });
      }
      for (const refusal of [C.ERRNO.EPERM, C.ERRNO.ENOSYS]) {
        program.when(got, "equal", -refusal, () => program.set(got, 0));
      }
      program.when(got, "equal", 0, () => {
        program.set(found, candidate);
        program.jump(done);
      });
    });
    program.set(reason, got);
    program.place(next);
  }
  program.when(mode, "equal", C.S_IFDIR, () => {
    program.when(reason, "equal", -C.ERRNO.ENOENT, () => program.set(reason, -C.ERRNO.EISDIR));
  });
  program.fail(FIND_PROGRAM, reason);
  program.place(done);
  return found;
}

/** Writes a label for the next execve to /proc/self/attr. */
function setLabel(program: StageProgram, proc: Slot, paths: readonly string[], content: string, what: string): void {
  const fd = program.slot();
  program.set(fd, -1);
  for (const path of paths) {
    program.when(fd, "less", 0, () => {
      const args = [proc, program.string(path), C.O_WRONLY | C.O_CLOEXEC];
      program.call(`set the ${what}`, "openat", args, { result: fd, ignore: "all" });
    });
  }
  program.when(fd, "less", 0, () => program.fail(`set the ${what}`, fd));
  program.call(`set the ${what}`, "write", [fd, program.string(content), new TextEncoder().encode(content).length]);
  program.call(`set the ${what}`, "close", [fd], { ignore: "all" });
}

const IO_CLASSES: Readonly<Record<string, number>> = { IOPRIO_CLASS_RT: 1, IOPRIO_CLASS_BE: 2, IOPRIO_CLASS_IDLE: 3 };
const POLICIES: Readonly<Record<string, number>> = {
  SCHED_OTHER: 0,
  SCHED_FIFO: 1,
  SCHED_RR: 2,
  SCHED_BATCH: 3,
  SCHED_ISO: 4,
  SCHED_IDLE: 5,
  SCHED_DEADLINE: 6,
};
const SCHED_FLAGS: Readonly<Record<string, number>> = {
  SCHED_FLAG_RESET_ON_FORK: 1,
  SCHED_FLAG_RECLAIM: 2,
  SCHED_FLAG_DL_OVERRUN: 4,
  SCHED_FLAG_KEEP_POLICY: 8,
  SCHED_FLAG_KEEP_PARAMS: 16,
  SCHED_FLAG_UTIL_CLAMP_MIN: 32,
  SCHED_FLAG_UTIL_CLAMP_MAX: 64,
};

function lookUp(table: Readonly<Record<string, number>>, name: string, field: string): number {
  if (Object.hasOwn(table, name)) return table[name];
  throw new ContainerError("SPEC_INVALID", `${field}: unknown value ${JSON.stringify(name)}`);
}

function setScheduling(program: StageProgram, { scheduler, ioPriority }: Process): void {
  if (ioPriority) {
    const level = lookUp(IO_CLASSES, ioPriority.class, "process.ioPriority.class");
    program.call("set the I/O priority", "ioprio_set", [1, 0, (level << 13) | (ioPriority.priority ?? 0)]);
  }
  if (scheduler) {
    let flags = 0;
    for (const flag of scheduler.flags ?? []) flags |= lookUp(SCHED_FLAGS, flag, "process.scheduler.flags");
    const policy = lookUp(POLICIES, scheduler.policy, "process.scheduler.policy");
    // struct sched_attr: size and policy, flags, nice and priority, then the three times.
    const nice = BigInt.asUintN(32, BigInt(scheduler.nice ?? 0));
    const attributes = program.words([
      48n | (BigInt(policy) << 32n),
      flags,
      nice | (BigInt(scheduler.priority ?? 0) << 32n),
      scheduler.runtime ?? 0,
      scheduler.deadline ?? 0,
      scheduler.period ?? 0,
    ]);
    program.call("set the scheduler", "sched_setattr", [0, attributes, 0]);
  }
}

/**
 * Links in /proc/self/fd lead to what the stage holds open, the host's folders among it (CVE-2024-21626). What
 * cannot be reached from the root has a path that does not start with a slash.
 */
function refuseOutside(program: StageProgram, cwd: string): void {
  const step = `enter process.cwd ${cwd}, which must lie in the container`;
  const path = program.buffer(C.PATH_MAX);
  const first = program.slot();
  program.call(step, "getcwd", [path, C.PATH_MAX]);
  program.read(first, path, 1);
  program.when(first, "notEqual", "/".charCodeAt(0), () => program.fail(step, C.ERRNO.EACCES));
}

/** A list such as `0-3,8` as the mask that sched_setaffinity(2) takes. @throws ContainerError `SPEC_INVALID` */
export function setAffinity(program: StageProgram, list: string | undefined): void {
  if (!list) return;
  const mask = new Uint8Array(MAX_CPUS / 8);
  for (const part of list.split(",")) {
    const [, first, last = first] = /^\s*(\d+)(?:-(\d+))?\s*$/.exec(part) ?? [];
    if (first === undefined || Number(last) < Number(first) || Number(last) >= MAX_CPUS) {
      throw new ContainerError("SPEC_INVALID", `process.execCPUAffinity: ${JSON.stringify(list)} is no list of CPUs`);
    }
    for (let cpu = Number(first); cpu <= Number(last); cpu++) mask[cpu >> 3] |= 1 << (cpu & 7);
  }
  program.call("set the CPU affinity", "sched_setaffinity", [0, mask.length, program.bytes(mask)]);
}

const PERSONALITIES: Readonly<Record<string, number>> = { LINUX: 0, LINUX32: 8 };

export interface ProcessPlan {
  readonly config: Config;
  readonly process: Process;
  readonly seccomp: CompiledSeccomp | null;
  /** Hands the notification descriptor over, where the filter has one. */
  readonly sendListener: ((fd: Slot) => void) | null;
  readonly canSetGroups: boolean;
  /** A descriptor of the host's /proc. */
  readonly proc: Slot;
  /** What lies between telling that all is ready and execve: waiting for `start`. */
  readonly whenReady: () => void;
  /** Descriptors from here on are not the program's. */
  readonly firstPrivateFd: number;
}

/** The last part of a stage. Where execve fails after the channel has closed, the reason goes to standard error. */
export function planProcess(program: StageProgram, plan: ProcessPlan): void {
  const { config, process, proc, seccomp } = plan;
  const personality = config.linux?.personality;
  if (personality) {
    program.call("set the personality", "personality", [PERSONALITIES[personality.domain]]);
  }
  if (process.apparmorProfile) {
    const paths = ["thread-self/attr/apparmor/exec", "thread-self/attr/exec"];
    setLabel(program, proc, paths, `exec ${process.apparmorProfile}`, "AppArmor profile");
  }
  if (process.selinuxLabel) {
    setLabel(program, proc, ["thread-self/attr/exec"], process.selinuxLabel, "SELinux label");
  }
  const filter = () => {
    if (seccomp === null) return;
    const listener = program.slot();
    installSeccomp(program, seccomp, listener);
    if (plan.sendListener) {
      plan.sendListener(listener);
      program.call("close the seccomp listener", "close", [listener], { ignore: "all" });
    }
  };
  setScheduling(program, process);
  ownStreams(program, process.user.uid);
  setLimits(program, process.rlimits ?? []);
  if (process.noNewPrivileges) program.call("forbid new privileges", "prctl", [C.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0]);
  // Without no_new_privs the filter needs CAP_SYS_ADMIN, so it comes before capabilities go.
  if (!process.noNewPrivileges) filter();
  const cwd = program.string(`/${components(process.cwd).join("/")}`);
  const chdir = program.slot();
  const masks = capabilityMasks(process.capabilities ?? {}, grantableCapabilities(config));
  dropBounding(program, masks);
  // Some folders open for root alone, some (NFS) for the user alone.
  program.call("enter process.cwd", "chdir", [cwd], { result: chdir, ignore: "all" });
  setUser(program, process, plan);
  program.when(chdir, "notEqual", 0, () => program.call(`enter process.cwd ${process.cwd}`, "chdir", [cwd]));
  refuseOutside(program, process.cwd);
  setCapabilities(program, masks);
  const found = findProgram(program, process);
  program.tell(EVENT.ready, 0);
  program.call("close the channel", "close", [program.channel], { ignore: "all" });
  plan.whenReady();
  if (process.noNewPrivileges) filter();
  program.call("set the umask", "umask", [process.user.umask ?? 0o022], { ignore: "all" });
  const argv = program.strings(process.args as string[]);
  const environment = program.strings(process.env ?? []);
  program.call("close descriptors", "close_range", [plan.firstPrivateFd, 0xffffffff, C.CLOSE_RANGE_CLOEXEC], {
    ignore: "all",
  });
  const refused = program.slot();
  program.call("run the program", "execve", [found, argv, environment], { result: refused, ignore: "all" });
  complain(program, process.args?.[0] as string, refused);
}

/** Nobody listens on the channel any more: one line on standard error and the shell's exit codes. */
function complain(program: StageProgram, name: string, refused: Slot): void {
  const { EACCES, ENOENT, ENOEXEC } = C.ERRNO;
  const say = (reason: string, code: number) => {
    const line = `exec ${name}: ${reason}\n`;
    const address: Address = program.string(line);
    const length = new TextEncoder().encode(line).length;
    program.call("say why", "write", [2, address, length], { ignore: "all" });
    program.exit(code);
  };
  program.when(refused, "equal", -ENOENT, () => say("no such file or directory", 127));
  program.when(refused, "equal", -EACCES, () => say("permission denied", 126));
  program.when(refused, "equal", -ENOEXEC, () => say("exec format error", 126));
  say("refused by the kernel", 126);
}
