/** `mounts` of config.json as system calls. Every target is found inside the container's root (in-root.ts). */
import { statSync } from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import type { CgroupMount } from "../cgroups/hierarchies.js";
import { ContainerError } from "../errors.js";
import { type AttributeChange, type MountOptions, parseMountOptions } from "../mounts/options.js";
import type { IdMapping, Mount } from "../spec/config.js";
import * as C from "../stage/constants.js";
import type { Slot, StageProgram } from "../stage/program.js";
import { EVENT } from "./events.js";
import { components, openInRoot, openTarget } from "./in-root.js";

const MOUNT_ATTR_SIZE = 32;

/** Files of /proc that a container may have its own of (lxcfs); anything else over /proc would fake the kernel's words. */
const PROC_TARGETS = new Set([
  ...["cpuinfo", "diskstats", "meminfo", "stat", "swaps", "uptime", "loadavg", "slabinfo", "net/dev"],
  ...["sys/kernel/ns_last_pid", "sys/crypto/fips_enabled"],
]);

export interface IdMaps {
  readonly uid: readonly IdMapping[];
  readonly gid: readonly IdMapping[];
}

export interface PlannedMount {
  readonly mount: Mount;
  readonly options: MountOptions;
  /** For binds: the absolute source, and the copy of its tree once it is opened. */
  readonly source: string;
  readonly kind: "folder" | "file";
  readonly tree: Slot;
  /** Maps of an idmapped mount. */
  readonly idmap: IdMaps | null;
}

/**
 * Reads options and looks at the sources of binds.
 *
 * @param containerMaps of the container's user namespace, for `idmap` without maps of its own
 * @throws ContainerError for a source that is not there
 */
export function examineMounts(
  program: StageProgram,
  mounts: readonly Mount[],
  bundle: string,
  containerMaps: IdMaps,
): PlannedMount[] {
  return mounts.map((mount) => {
    const options = parseMountOptions(mount.options ?? []);
    if (options.bind === "none" && mount.type === "bind") options.bind = "one";
    const source = isAbsolute(mount.source ?? "") ? (mount.source as string) : join(bundle, mount.source ?? "");
    let kind: PlannedMount["kind"] = "folder";
    if (options.bind !== "none") {
      if (!mount.source) throw new ContainerError("SPEC_INVALID", `mount ${mount.destination}: a bind needs a source`);
      const status = statSync(source, { throwIfNoEntry: false });
      if (status === undefined) {
        throw new ContainerError("FILE", `mount ${source} on ${mount.destination}: no such file or directory`);
      }
      kind = status.isDirectory() ? "folder" : "file";
    }
    const maps = mount.uidMappings?.length || mount.gidMappings?.length;
    if ((maps || options.idmap !== "none") && options.bind === "none") {
      throw new ContainerError("SPEC_INVALID", `mount ${mount.destination}: only a bind can have id maps`);
    }
    const idmap = maps
      ? { uid: mount.uidMappings ?? [], gid: mount.gidMappings ?? [] }
      : options.idmap !== "none"
        ? containerMaps
        : null;
    if (idmap && (idmap.uid.length === 0 || idmap.gid.length === 0)) {
      throw new ContainerError("SPEC_INVALID", `mount ${mount.destination}: an idmapped mount needs maps of both ids`);
    }
    return { mount, options, source, kind, tree: program.slot(), idmap };
  });
}

function attributesBlock(program: StageProgram, change: AttributeChange, propagation: number, userns?: Slot) {
  const block = program.words([change.set, change.clear, propagation, 0]);
  if (userns) program.write(program.at(block, 24), userns, 8);
  return block;
}

function setAttributes(
  program: StageProgram,
  step: string,
  tree: Slot,
  change: AttributeChange,
  recursive: boolean,
  propagation = 0,
  userns?: Slot,
): void {
  const flags = C.AT_EMPTY_PATH | (recursive ? C.AT_RECURSIVE : 0);
  const block = attributesBlock(program, change, propagation, userns);
  program.call(step, "mount_setattr", [tree, program.string(""), flags, block, MOUNT_ATTR_SIZE]);
}

/** Copies the source's tree, where the source can be reached. */
export function openBindSource(program: StageProgram, { mount, options, source, tree }: PlannedMount): void {
  const flags = C.OPEN_TREE_CLONE | C.OPEN_TREE_CLOEXEC | (options.bind === "recursive" ? C.AT_RECURSIVE : 0);
  const step = `open ${source} to mount it on ${mount.destination}`;
  program.call(step, "open_tree", [C.AT_FDCWD, program.string(source), flags], { result: tree });
}

/** Maps the ids of a tree that is not attached yet. `userns`: a descriptor of the namespace with the maps. */
export function mapIds(program: StageProgram, { mount, options, tree }: PlannedMount, userns: Slot): void {
  const step = `map the ids of ${mount.destination}`;
  const change = { set: C.MOUNT_ATTR_IDMAP, clear: 0 };
  setAttributes(program, step, tree, change, options.idmap === "recursive", 0, userns);
}

/** A user namespace for an idmapped mount: held by a process that only waits, whose maps the runtime writes. */
export function makeIdmapNamespace(program: StageProgram, proc: Slot, index: number): Slot {
  const step = "make a user namespace for an idmapped mount";
  const pid = program.slot();
  const userns = program.slot();
  const pipe = program.buffer(8);
  const end = program.slot();
  const parent = program.label();
  program.call(step, "pipe2", [pipe, C.O_CLOEXEC]);
  program.call(step, "clone", [C.CLONE_NEWUSER | C.SIGCHLD, 0, 0, 0, 0], { result: pid });
  program.jumpIf(pid, "notEqual", 0, parent);
  // The child: until the parent closes its end of the pipe.
  program.read(end, program.at(pipe, 4), 4);
  program.call(step, "close", [end], { ignore: "all" });
  program.read(end, pipe, 4);
  program.call(step, "read", [end, program.buffer(16), 1], { ignore: "all" });
  program.exit(0);
  program.place(parent);
  program.tell(EVENT.idmap + (index << 8), pid);
  program.awaitByte();
  // pidfd_open and setns would enter it; its file is what mount_setattr wants.
  const folder = program.slot();
  const path = program.fdPathUnderProc(pid);
  const digits = program.at(path, "self/fd/".length);
  program.call(step, "openat", [proc, digits, C.O_PATH | C.O_DIRECTORY | C.O_CLOEXEC], { result: folder });
  program.call(step, "openat", [folder, program.string("ns/user"), C.O_CLOEXEC], { result: userns });
  program.call(step, "close", [folder], { ignore: "all" });
  program.read(end, program.at(pipe, 4), 4);
  program.call(step, "close", [end], { ignore: "all" });
  program.read(end, pipe, 4);
  program.call(step, "close", [end], { ignore: "all" });
  program.call(step, "wait4", [pid, 0, 0, 0], { ignore: "all" });
  return userns;
}

/** Refuses a target that lies in procfs, wherever symbolic links have led. */
function refuseProc(program: StageProgram, target: Slot, { mount }: PlannedMount): void {
  const status = program.buffer(128);
  const type = program.slot();
  const step = `mount on ${mount.destination}, which is inside /proc`;
  program.call(step, "fstatfs", [target, status]);
  program.read(type, status, 8);
  program.when(type, "equal", C.PROC_SUPER_MAGIC, () => program.fail(step, C.ERRNO.EPERM));
}

function mayCoverProc(destination: string): boolean {
  const [first, ...rest] = components(destination);
  return first === "proc" && (rest.length === 0 || PROC_TARGETS.has(rest.join("/")));
}

function attach(program: StageProgram, step: string, tree: Slot, target: Slot): void {
  const flags = C.MOVE_MOUNT_F_EMPTY_PATH | C.MOVE_MOUNT_T_EMPTY_PATH;
  const empty = program.string("");
  program.call(step, "move_mount", [tree, empty, target, empty, flags]);
}

/** What later parts have to know about where mounts go. */
export interface MountContext {
  readonly root: Slot;
  /** Trees of binds were opened before the user namespace was entered. */
  readonly sourcesOpened: boolean;
  readonly cgroupMounts: readonly CgroupMount[];
  readonly cgroupNamespace: boolean;
  /** SELinux context of file systems that are mounted here. */
  readonly label: string | undefined;
}

/** Kernel interfaces have contexts of their own. */
const UNLABELLED: ReadonlySet<string | undefined> = new Set(["proc", "sysfs", "mqueue"]);

function withLabel(type: string | undefined, data: string, label: string | undefined): string {
  if (!label || UNLABELLED.has(type)) return data;
  return `${data}${data ? "," : ""}context="${label}"`;
}

export function planMount(program: StageProgram, planned: PlannedMount, context: MountContext): void {
  const { mount, options } = planned;
  if (mount.type === "cgroup" || mount.type === "cgroup2") {
    if (options.bind === "none") {
      mountCgroups(program, planned, context);
      return;
    }
  }
  const step = `mount ${options.bind === "none" ? mount.type : planned.source} on ${mount.destination}`;
  const virtual = mount.type === "proc" || mount.type === "sysfs";
  const target = openTarget(
    program,
    context.root,
    mount.destination,
    planned.kind,
    virtual && options.bind === "none" ? C.RESOLVE_NO_SYMLINKS : 0,
  );
  if (!mayCoverProc(mount.destination)) refuseProc(program, target, planned);
  if (options.bind !== "none") {
    if (!context.sourcesOpened) openBindSource(program, planned);
    attach(program, step, planned.tree, target);
    applyAttributes(program, planned, planned.tree, step);
    program.call(step, "close", [planned.tree], { ignore: "all" });
  } else {
    // /dev is filled, and a tmpfs copied up to, before it becomes read-only.
    const later = options.copyUp || isDev(mount.destination) ? C.MS_RDONLY : 0;
    const data = withLabel(mount.type, options.data, context.label);
    mountFileSystem(program, step, target, mount, options.flags & ~later, data);
    const mounted = openInRoot(program, step, context.root, inside(mount.destination), C.O_PATH);
    if (options.copyUp) {
      copyUp(program, target, mounted);
      ownTop(program, step, mounted, options.data);
    }
    for (const propagation of options.propagation) setPropagation(program, step, mounted, propagation);
    if (options.recursiveAttributes.set || options.recursiveAttributes.clear) {
      setAttributes(program, step, mounted, options.recursiveAttributes, true);
    }
    if (later && options.flags & C.MS_RDONLY && !isDev(mount.destination)) makeReadOnly(program, step, mounted);
    program.call(step, "close", [mounted], { ignore: "all" });
  }
  program.call(step, "close", [target], { ignore: "all" });
}

export function isDev(destination: string): boolean {
  return components(destination).join("/") === "dev";
}

function inside(path: string): string {
  return components(path).join("/") || ".";
}

/** The last steps for /dev once it is filled. */
export function finishDev(program: StageProgram, root: Slot, mounts: readonly PlannedMount[]): void {
  for (const { mount, options } of mounts) {
    if (!isDev(mount.destination) || options.bind !== "none" || !(options.flags & C.MS_RDONLY)) continue;
    const step = "make /dev read-only";
    makeReadOnly(program, step, openInRoot(program, step, root, "dev", C.O_PATH));
  }
}

export function makeReadOnly(program: StageProgram, step: string, mounted: Slot): void {
  setAttributes(program, step, mounted, { set: C.MOUNT_ATTR_RDONLY, clear: 0 }, false);
}

function mountFileSystem(
  program: StageProgram,
  step: string,
  target: Slot,
  mount: Pick<Mount, "type" | "source">,
  flags: number,
  data: string,
): void {
  const type = mount.type ?? "none";
  const source = program.string(mount.source ?? type);
  const args = [source, program.fdPath(target), program.string(type), flags >>> 0, program.string(data)];
  program.call(step, "mount", args);
}

function applyAttributes(program: StageProgram, { options }: PlannedMount, tree: Slot, step: string): void {
  const { attributes, recursiveAttributes, propagation } = options;
  if (attributes.set || attributes.clear) {
    // Clearing what is locked, or was never set, is refused in a user namespace: only what the user asked to be set counts.
    setAttributes(program, step, tree, attributes, false);
  }
  if (recursiveAttributes.set || recursiveAttributes.clear) {
    setAttributes(program, step, tree, recursiveAttributes, true);
  }
  for (const one of propagation) setPropagation(program, step, tree, one);
}

function setPropagation(program: StageProgram, step: string, mounted: Slot, propagation: number): void {
  const recursive = (propagation & C.MS_REC) !== 0;
  setAttributes(program, step, mounted, { set: 0, clear: 0 }, recursive, propagation & ~C.MS_REC);
}

/** The runtime copies: it reaches both folders by /proc/PID/fd. */
function copyUp(program: StageProgram, hidden: Slot, mounted: Slot): void {
  program.tell(EVENT.copyUp, hidden);
  program.tell(EVENT.copyUp, mounted);
  program.awaitByte();
}

/** What the tmpfs's options say of its folder goes before what the hidden folder had. */
function ownTop(program: StageProgram, step: string, mounted: Slot, data: string): void {
  const option = (name: string) => new RegExp(`(?:^|,)${name}=(\\d+)(?:,|$)`).exec(data)?.[1];
  const [uid, gid, mode] = ["uid", "gid", "mode"].map(option);
  if (uid !== undefined || gid !== undefined) {
    const owner = [Number(uid ?? -1), Number(gid ?? -1)];
    program.call(step, "fchownat", [mounted, program.string(""), ...owner, C.AT_EMPTY_PATH]);
  }
  if (mode !== undefined) {
    program.call(step, "fchmodat", [C.AT_FDCWD, program.fdPath(mounted), Number.parseInt(mode, 8)]);
  }
}

/** Control groups as the container is to see them: its own part of every hierarchy. */
function mountCgroups(program: StageProgram, planned: PlannedMount, context: MountContext): void {
  const { mount, options } = planned;
  const hierarchies = context.cgroupMounts;
  const flags = options.flags & ~C.MS_RDONLY;
  const readOnly = (options.flags & C.MS_RDONLY) !== 0;
  const step = `mount control groups on ${mount.destination}`;
  if (hierarchies.length === 0) return;
  const target = openTarget(program, context.root, mount.destination, "folder");
  refuseProc(program, target, planned);
  const one = (place: Slot, hierarchy: CgroupMount, path: string) => {
    if (context.cgroupNamespace) {
      const type = hierarchy.unified ? "cgroup2" : "cgroup";
      mountFileSystem(program, step, place, { type, source: type }, flags, hierarchy.data);
      const mounted = openInRoot(program, step, context.root, path, C.O_PATH);
      if (readOnly) makeReadOnly(program, step, mounted);
      for (const propagation of options.propagation) setPropagation(program, step, mounted, propagation);
      program.call(step, "close", [mounted], { ignore: "all" });
      return;
    }
    const tree = program.slot();
    const treeFlags = C.OPEN_TREE_CLONE | C.OPEN_TREE_CLOEXEC;
    const open = (folder: string, ignore: number[]) => {
      program.call(step, "open_tree", [C.AT_FDCWD, program.string(folder), treeFlags], { result: tree, ignore });
    };
    open(hierarchy.folder, [C.ERRNO.ENOENT]);
    // Who may not make control groups leaves the container in its own.
    program.when(tree, "equal", -C.ERRNO.ENOENT, () => open(dirname(hierarchy.folder), []));
    attach(program, step, tree, place);
    const set = options.attributes.set | (readOnly ? C.MOUNT_ATTR_RDONLY : 0);
    setAttributes(program, step, tree, { set, clear: 0 }, false);
    program.call(step, "close", [tree], { ignore: "all" });
  };
  if (hierarchies.length === 1 && hierarchies[0].unified) {
    one(target, hierarchies[0], inside(mount.destination));
    program.call(step, "close", [target], { ignore: "all" });
    return;
  }
  mountFileSystem(program, step, target, { type: "tmpfs", source: "tmpfs" }, flags, "mode=755");
  program.call(step, "close", [target], { ignore: "all" });
  for (const hierarchy of hierarchies) {
    const path = `${inside(mount.destination)}/${hierarchy.name}`;
    const place = openTarget(program, context.root, path, "folder");
    one(place, hierarchy, path);
    program.call(step, "close", [place], { ignore: "all" });
  }
  const folder = openInRoot(program, step, context.root, inside(mount.destination), C.O_PATH);
  for (const { name, controllers } of hierarchies) {
    for (const controller of controllers) {
      if (controller === name || controllers.length < 2) continue;
      const args = [program.string(name), folder, program.string(controller)];
      program.call(step, "symlinkat", args, { ignore: [C.ERRNO.EEXIST] });
    }
  }
  if (readOnly) makeReadOnly(program, step, folder);
  program.call(step, "close", [folder], { ignore: "all" });
}
