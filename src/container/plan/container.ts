/** The whole of a container's making as one stage program, from namespaces to execve. */
import { existsSync } from "node:fs";
import type { CgroupMount } from "../cgroups/hierarchies.js";
import { ContainerError } from "../errors.js";
import type { CompiledSeccomp } from "../seccomp/compile.js";
import type { Config } from "../spec/config.js";
import * as C from "../stage/constants.js";
import { type Slot, StageProgram } from "../stage/program.js";
import { planConsole } from "./console.js";
import { devicesPastDanglingLinks, mountsPastDanglingLinks } from "./dangling-links.js";
import { allDevices, bindDevice, linkDevices, makeDevice, openHostDevice, type PlannedDevice } from "./devices.js";
import { EVENT, HOOK_STATUS } from "./events.js";
import { EXEC_FIFO } from "./exec-fifo.js";
import { fork } from "./fork.js";
import { planHooks, receiveText } from "./hooks.js";
import { components, makeFolders } from "./in-root.js";
import {
  examineMounts,
  finishDev,
  type IdMaps,
  isDev,
  makeIdmapNamespace,
  mapIds,
  openBindSource,
  type PlannedMount,
  planMount,
} from "./mounts.js";
import { cloneFlags, creates, joinNamespaces, makeTimeNamespace } from "./namespaces.js";
import { planProcess, raiseHardLimits } from "./process.js";
import { runFromSealedCopy } from "./sealed-copy.js";
import { prepareListener } from "./seccomp-listener.js";
import { connectTo } from "./unix-socket.js";

/** Only there where the kernel enforces or logs SELinux's rules. */
const SELINUX = "/sys/fs/selinux/enforce";

const PROPAGATION = {
  shared: C.MS_SHARED,
  slave: C.MS_SLAVE,
  private: C.MS_PRIVATE,
  unbindable: C.MS_UNBINDABLE,
} as const;

export interface ContainerPlan {
  readonly config: Config;
  readonly id: string;
  readonly bundle: string;
  /** Absolute. */
  readonly rootfs: string;
  /** The container's folder of the state directory: the FIFO that `start` opens lies there. */
  readonly folder: string;
  /** Descriptors after the standard streams that the container gets. */
  readonly preserveFds: number;
  readonly consoleSocket: string | null;
  readonly seccomp: CompiledSeccomp | null;
  readonly noPivot: boolean;
  readonly noNewKeyring: boolean;
  readonly cgroupMounts: readonly CgroupMount[];
  /** No process in a user namespace may: there the host's nodes are mounted instead. */
  readonly mayMakeDevices: boolean;
  /** The runtime is root in its user namespace. */
  readonly privileged: boolean;
  /** The stage stays and tells how the container's process ended. */
  readonly stay: boolean;
  /** The user and group on the host that are the container's root. */
  readonly rootOwner: { readonly uid: number; readonly gid: number };
  readonly canSetGroups: boolean;
}

/** The maps that idmapped mounts need, in the order of their events. */
export interface PlannedContainer {
  readonly program: StageProgram;
  readonly idmaps: readonly IdMaps[];
  readonly hasRuntimeHooks: boolean;
}

export function planContainer(plan: ContainerPlan): PlannedContainer {
  const { config } = plan;
  const linux = config.linux ?? {};
  const namespaces = linux.namespaces ?? [];
  const process = config.process!;
  const program = new StageProgram(3 + plan.preserveFds);
  const anyUser = namespaces.some(({ type }) => type === "user");
  const ownMounts = namespaces.some(({ type }) => type === "mount");
  const containerMaps = { uid: linux.uidMappings ?? [], gid: linux.gidMappings ?? [] };
  const wanted = mountsPastDanglingLinks(plan.rootfs, config.mounts ?? []);
  const mounts = examineMounts(program, wanted, plan.bundle, containerMaps);
  const proc = program.slot();
  const fifo = program.slot();
  const rootTree = program.slot();
  // Inside a user namespace the host's folders may be out of reach: copy their mounts before.
  const early = anyUser && plan.privileged && ownMounts;

  program.call("close inherited descriptors", "close_range", [program.channel + 1, 0xffffffff, 0]);
  runFromSealedCopy(program);
  program.call("clear the umask", "umask", [0], { ignore: "all" });
  const procArgs = [C.AT_FDCWD, program.string("/proc"), C.O_PATH | C.O_DIRECTORY | C.O_CLOEXEC];
  program.call("open /proc", "openat", procArgs, { result: proc });
  makeFifo(program, plan, fifo);
  const consoleSocket = plan.consoleSocket ? connectTo(program, plan.consoleSocket, "console socket") : null;
  const seccompSocket = plan.seccomp?.notify ? connectTo(program, linux.seccomp!.listenerPath!, "seccomp agent") : null;
  raiseHardLimits(program, process.rlimits ?? []);

  // The root and what is mounted into it, as trees of their own where that has to come first.
  const idmaps: IdMaps[] = [];
  const devices: PlannedDevice[] = allDevices(devicesPastDanglingLinks(plan.rootfs, linux.devices ?? [])).map(
    (device) => ({ device, tree: program.slot() }),
  );
  const devMounted = mounts.some(({ mount, options }) => isDev(mount.destination) && options.bind !== "none");
  if (early) {
    openRoot(program, plan.rootfs, rootTree);
    cutRootOff(program, rootTree, linux.rootfsPropagation);
    for (const mount of mounts) if (mount.options.bind !== "none") openBindSource(program, mount);
    if (!devMounted) for (const device of devices) openHostDevice(program, device);
  }
  const mappedMounts = mounts.filter(({ idmap }) => idmap !== null);
  for (const mount of mappedMounts) {
    if (!early) openBindSource(program, mount);
    const userns = makeIdmapNamespace(program, proc, idmaps.length);
    idmaps.push(mount.idmap as IdMaps);
    mapIds(program, mount, userns);
    program.call("close a user namespace", "close", [userns], { ignore: "all" });
  }
  // Sources that are to be shared are copied while the host's root still is: only then are the copies its peers.
  const allOpened = early || (ownMounts && linux.rootfsPropagation === "shared");
  const opened = new Set(allOpened ? mounts : mappedMounts);

  joinNamespaces(program, namespaces);
  const relay = plan.stay && (process.terminal ?? false) && consoleSocket === null;
  const relaySocket = fork(program, { flags: cloneFlags(namespaces), stay: plan.stay, relay });

  // From here on it is the container's process.
  program.awaitByte();
  if (anyUser) becomeRoot(program);
  program.call("start a session", "setsid", [], { ignore: "all" });
  if (!plan.noNewKeyring) joinKeyring(program, plan.id);
  if (creates(namespaces, "cgroup")) program.call("make a cgroup namespace", "unshare", [C.CLONE_NEWCGROUP]);
  if (creates(namespaces, "time")) makeTimeNamespace(program, proc, linux.timeOffsets ?? {});
  program.call("hide from tracers", "prctl", [C.PR_SET_DUMPABLE, 0, 0, 0, 0]);

  if (ownMounts) {
    prepareRoot(program, linux.rootfsPropagation, () => {
      if (early) return;
      for (const mount of mounts) {
        if (mount.options.bind !== "none" && !mappedMounts.includes(mount)) openBindSource(program, mount);
      }
    });
    if (!early) {
      openRoot(program, plan.rootfs, rootTree);
      cutRootOff(program, rootTree, linux.rootfsPropagation);
    }
    // Over the old root: a process keeps seeing what its own root directory is, until it changes that.
    const flags = C.MOVE_MOUNT_F_EMPTY_PATH;
    const args = [rootTree, program.string(""), C.AT_FDCWD, program.string("/"), flags];
    program.call(`mount the root file system ${plan.rootfs}`, "move_mount", args);
    const label = linux.mountLabel || undefined;
    if (label && !existsSync(SELINUX)) {
      throw new ContainerError("UNSUPPORTED_BY_HOST", `linux.mountLabel ${label}: this host has no SELinux`);
    }
    const cgroupNamespace = namespaces.some(({ type }) => type === "cgroup");
    for (const mount of mounts) {
      const sourcesOpened = opened.has(mount);
      const { cgroupMounts } = plan;
      planMount(program, mount, { root: rootTree, sourcesOpened, cgroupMounts, cgroupNamespace, label });
    }
    if (!devMounted) {
      for (const planned of devices) {
        if (!anyUser && plan.mayMakeDevices) makeDevice(program, rootTree, planned.device);
        else {
          if (!early) openHostDevice(program, planned);
          bindDevice(program, rootTree, planned);
        }
      }
      linkDevices(program, rootTree, { core: existsSync("/proc/kcore") });
    }
  } else {
    openRoot(program, plan.rootfs, rootTree, 0);
  }
  const hasRuntimeHooks = (config.hooks?.prestart?.length ?? 0) + (config.hooks?.createRuntime?.length ?? 0) > 0;
  if (hasRuntimeHooks) {
    program.tell(EVENT.runtimeHooks, 0);
    program.awaitByte();
  }
  const { createContainer = [], startContainer = [] } = config.hooks ?? {};
  if (createContainer.length > 0) {
    program.tell(EVENT.state, HOOK_STATUS.indexOf("creating"));
    const state = receiveText(program, "the container's state");
    planHooks(program, "createContainer", createContainer, state);
    program.call("close the state", "close", [state], { ignore: "all" });
  }
  enterRoot(program, rootTree, plan, ownMounts);
  finishRoot(program, plan, proc, mounts, rootTree, consoleSocket ?? relaySocket, ownMounts);
  let startState: Slot | null = null;
  if (startContainer.length > 0) {
    program.tell(EVENT.state, HOOK_STATUS.indexOf("created"));
    startState = receiveText(program, "the container's state");
  }
  planProcess(program, {
    config,
    process,
    seccomp: plan.seccomp,
    sendListener: seccompSocket && prepareListener(program, seccompSocket),
    canSetGroups: plan.canSetGroups,
    proc,
    firstPrivateFd: 3 + plan.preserveFds,
    whenReady: () => {
      awaitStart(program, proc, fifo);
      if (startState) planHooks(program, "startContainer", startContainer, startState);
    },
  });
  return { program, idmaps, hasRuntimeHooks };
}

/** The FIFO whose opening for reading is the start of the user's program. */
function makeFifo(program: StageProgram, { folder, rootOwner }: ContainerPlan, fifo: Slot): void {
  const step = "make the FIFO for start";
  const state = program.slot();
  const name = program.string(EXEC_FIFO);
  const args = [C.AT_FDCWD, program.string(folder), C.O_PATH | C.O_DIRECTORY | C.O_CLOEXEC];
  program.call(step, "openat", args, { result: state });
  program.call(step, "mknodat", [state, name, C.S_IFIFO | 0o622, 0]);
  const owner = [rootOwner.uid, rootOwner.gid];
  program.call(step, "fchownat", [state, name, ...owner, C.AT_SYMLINK_NOFOLLOW], { ignore: "all" });
  program.call(step, "openat", [state, name, C.O_PATH | C.O_CLOEXEC], { result: fifo });
  program.call(step, "close", [state]);
}

function openRoot(program: StageProgram, rootfs: string, tree: Slot, how: number = C.OPEN_TREE_CLONE): void {
  const flags = C.OPEN_TREE_CLOEXEC | how | (how ? C.AT_RECURSIVE : 0);
  const args = [C.AT_FDCWD, program.string(rootfs), flags];
  program.call(`open the root file system ${rootfs}`, "open_tree", args, { result: tree });
}

/**
 * The copy of a shared mount is its peer: what is mounted on it would appear on the host, and pivot_root(2) refuses it.
 * Mounts below the root stay what they are where config.json wants them shared.
 */
function cutRootOff(program: StageProgram, tree: Slot, propagation: keyof typeof PROPAGATION | undefined): void {
  const step = "cut the root file system off the host's";
  const recursive = propagation === "shared" ? 0 : C.AT_RECURSIVE;
  const value = propagation === undefined || propagation === "slave" ? C.MS_SLAVE : C.MS_PRIVATE;
  const block = program.words([0, 0, value, 0]);
  const flags = C.AT_EMPTY_PATH | recursive;
  program.call(step, "mount_setattr", [tree, program.string(""), flags, block, 32]);
}

export function becomeRoot(program: StageProgram): void {
  program.call("become root of the user namespace", "setresgid", [0, 0, 0]);
  program.call("become root of the user namespace", "setresuid", [0, 0, 0]);
}

export function joinKeyring(program: StageProgram, id: string): void {
  // Where keyrings are not built in, or forbidden, there is nothing to leak.
  const ignore = [C.ERRNO.ENOSYS, C.ERRNO.EPERM];
  const args = [C.KEYCTL_JOIN_SESSION_KEYRING, program.string(`_ses.${id}`)];
  program.call("join a session keyring", "keyctl", args, { ignore });
}

/** Nothing that is mounted from here on reaches the host, unless config.json wants it shared. */
function prepareRoot(
  program: StageProgram,
  propagation: keyof typeof PROPAGATION | undefined,
  whileShared: () => void,
): void {
  const root = program.string("/");
  const flags = (propagation ? PROPAGATION[propagation] : C.MS_SLAVE) | C.MS_REC;
  // An unbindable tree could not be the source of binds: it becomes so at the end.
  const first = propagation === "unbindable" ? C.MS_PRIVATE | C.MS_REC : flags;
  program.call("set the propagation of mounts", "mount", [0, root, 0, first, 0]);
  if (propagation !== "shared") return;
  whileShared();
  program.call("keep the root's own mount", "mount", [0, root, 0, C.MS_PRIVATE, 0]);
}

function enterRoot(program: StageProgram, root: Slot, { noPivot }: ContainerPlan, ownMounts: boolean): void {
  const here = program.string(".");
  if (!ownMounts || noPivot) {
    program.call("enter the root file system", "fchdir", [root]);
    program.call("enter the root file system", "chroot", [here]);
    program.call("enter the root file system", "chdir", [program.string("/")]);
    return;
  }
  const old = program.slot();
  const step = "change the root";
  const args = [C.AT_FDCWD, program.string("/"), C.O_PATH | C.O_DIRECTORY | C.O_CLOEXEC];
  program.call(step, "openat", args, { result: old });
  program.call(step, "fchdir", [root]);
  // Both at one place: the old root ends up over the new one, from where it is dropped (pivot_root(2), NOTES).
  program.call(step, "pivot_root", [here, here]);
  program.call(step, "fchdir", [old]);
  // Dropping it must not reach the host's own mounts.
  program.call("cut the old root off", "mount", [0, here, 0, C.MS_SLAVE | C.MS_REC, 0]);
  program.call("drop the old root", "umount2", [here, C.MNT_DETACH]);
  program.call(step, "chdir", [program.string("/")]);
  program.call(step, "close", [old], { ignore: "all" });
}

/** What is done from inside: paths are the container's, and so are the symbolic links on them. */
function finishRoot(
  program: StageProgram,
  { config }: ContainerPlan,
  proc: Slot,
  mounts: readonly PlannedMount[],
  root: Slot,
  consoleSocket: Slot | null,
  ownMounts: boolean,
): void {
  const linux = config.linux ?? {};
  const process = config.process!;
  const namespaces = linux.namespaces ?? [];
  if (process.terminal && consoleSocket) planConsole(program, process, consoleSocket, ownMounts ? root : null);
  const has = (type: string) => namespaces.some((one) => one.type === type);
  const encoder = new TextEncoder();
  if (config.hostname && has("uts")) {
    const length = encoder.encode(config.hostname).length;
    program.call("set the host name", "sethostname", [program.string(config.hostname), length]);
  }
  if (config.domainname && has("uts")) {
    const length = encoder.encode(config.domainname).length;
    program.call("set the domain name", "setdomainname", [program.string(config.domainname), length]);
  }
  for (const [name, value] of Object.entries(linux.sysctl ?? {})) setSysctl(program, proc, name, value);
  if (ownMounts) {
    makeFolders(program, root, components(process.cwd), [C.ERRNO.EROFS]);
    finishDev(program, root, mounts);
    for (const path of linux.readonlyPaths ?? []) coverReadOnly(program, path);
    maskPaths(program, linux.maskedPaths ?? []);
    if (config.root?.readonly) {
      const block = program.words([C.MOUNT_ATTR_RDONLY, 0, 0, 0]);
      const args = [C.AT_FDCWD, program.string("/"), 0, block, 32];
      program.call("make the root read-only", "mount_setattr", args);
    }
    if (linux.rootfsPropagation) {
      const flags = PROPAGATION[linux.rootfsPropagation];
      program.call("set the root's propagation", "mount", [0, program.string("/"), 0, flags, 0]);
    }
  }
  program.call("close the root", "close", [root], { ignore: "all" });
}

/** By the host's /proc: the container's own is the container's to fake. Sysctls of namespaces follow the caller. */
function setSysctl(program: StageProgram, proc: Slot, name: string, value: string): void {
  const step = `set the sysctl ${name}`;
  const fd = program.slot();
  // "/" as the separator allows dots in a name; otherwise dots separate (sysctl(8)).
  const path = `sys/${name.includes("/") ? name : name.replaceAll(".", "/")}`;
  const how = program.words([C.O_WRONLY | C.O_CLOEXEC, 0, C.RESOLVE_BENEATH | C.RESOLVE_NO_SYMLINKS]);
  program.call(step, "openat2", [proc, program.string(path), how, 24], { result: fd });
  program.call(step, "write", [fd, program.string(value), new TextEncoder().encode(value).length]);
  program.call(step, "close", [fd]);
}

function coverReadOnly(program: StageProgram, path: string): void {
  const step = `make ${path} read-only`;
  const tree = program.slot();
  const flags = C.OPEN_TREE_CLONE | C.OPEN_TREE_CLOEXEC | C.AT_RECURSIVE;
  const args = [C.AT_FDCWD, program.string(path), flags];
  program.call(step, "open_tree", args, { result: tree, ignore: [C.ERRNO.ENOENT, C.ERRNO.ENOTDIR] });
  program.when(tree, "greaterOrEqual", 0, () => {
    const block = program.words([C.MOUNT_ATTR_RDONLY, 0, 0, 0]);
    const empty = program.string("");
    program.call(step, "mount_setattr", [tree, empty, C.AT_EMPTY_PATH | C.AT_RECURSIVE, block, 32]);
    const move = C.MOVE_MOUNT_F_EMPTY_PATH;
    program.call(step, "move_mount", [tree, empty, C.AT_FDCWD, program.string(path), move]);
    program.call(step, "close", [tree], { ignore: "all" });
  });
}

/** Files are hidden by /dev/null, folders by an empty tmpfs. */
function maskPaths(program: StageProgram, paths: readonly string[]): void {
  const status = program.buffer(C.STAT.size);
  const mode = program.slot();
  const got = program.slot();
  for (const path of paths) {
    const step = `mask ${path}`;
    const target = program.slot();
    const name = program.string(path);
    const args = [C.AT_FDCWD, name, C.O_PATH | C.O_CLOEXEC];
    program.call(step, "openat", args, { result: target, ignore: [C.ERRNO.ENOENT, C.ERRNO.ENOTDIR] });
    program.when(target, "greaterOrEqual", 0, () => {
      program.call(step, "fstat", [target, status], { result: got });
      program.read(mode, program.at(status, C.STAT.mode), 4);
      program.mask(mode, C.S_IFMT);
      const file = program.label();
      const done = program.label();
      program.jumpIf(mode, "notEqual", C.S_IFDIR, file);
      const data = program.string("nr_blocks=1,nr_inodes=1");
      const tmpfs = program.string("tmpfs");
      program.call(step, "mount", [tmpfs, name, tmpfs, C.MS_RDONLY, data]);
      program.jump(done);
      program.place(file);
      maskFile(program, step, target);
      program.place(done);
      program.call(step, "close", [target], { ignore: "all" });
    });
  }
}

function maskFile(program: StageProgram, step: string, target: Slot): void {
  const tree = program.slot();
  const status = program.buffer(C.STAT.size);
  const device = program.slot();
  const args = [C.AT_FDCWD, program.string("/dev/null"), C.OPEN_TREE_CLONE | C.OPEN_TREE_CLOEXEC];
  program.call(step, "open_tree", args, { result: tree });
  // The container's /dev may hold anything under that name (CVE-2025-31133).
  program.call(step, "fstat", [tree, status]);
  program.read(device, program.at(status, C.STAT.rdev), 8);
  program.when(device, "notEqual", C.deviceNumber(1, 3), () => program.fail(step, C.ERRNO.ENXIO));
  const empty = program.string("");
  const move = C.MOVE_MOUNT_F_EMPTY_PATH | C.MOVE_MOUNT_T_EMPTY_PATH;
  program.call(step, "move_mount", [tree, empty, target, empty, move]);
  program.call(step, "close", [tree], { ignore: "all" });
}

/** Blocks until `start` opens the FIFO to read; by the host's /proc, which a descriptor of ours holds. */
function awaitStart(program: StageProgram, proc: Slot, fifo: Slot): void {
  const step = "wait for start";
  const out = program.slot();
  const path = program.fdPathUnderProc(fifo);
  program.call(step, "openat", [proc, path, C.O_WRONLY | C.O_CLOEXEC], { result: out });
  program.call(step, "write", [out, program.string("0"), 1], { ignore: "all" });
  program.call(step, "close", [out], { ignore: "all" });
  program.call(step, "close", [fifo], { ignore: "all" });
  program.call(step, "close", [proc], { ignore: "all" });
}
