/** /dev of a container: the devices every container has, those of config.json, the links. */
import type { Device } from "../spec/config.js";
import * as C from "../stage/constants.js";
import type { Slot, StageProgram } from "../stage/program.js";
import { components, makeFolders, openInRoot, openTarget } from "./in-root.js";

const DEFAULT_DEVICES: readonly Device[] = [
  { path: "/dev/null", type: "c", major: 1, minor: 3, fileMode: 0o666 },
  { path: "/dev/zero", type: "c", major: 1, minor: 5, fileMode: 0o666 },
  { path: "/dev/full", type: "c", major: 1, minor: 7, fileMode: 0o666 },
  { path: "/dev/random", type: "c", major: 1, minor: 8, fileMode: 0o666 },
  { path: "/dev/urandom", type: "c", major: 1, minor: 9, fileMode: 0o666 },
  { path: "/dev/tty", type: "c", major: 5, minor: 0, fileMode: 0o666 },
];

const LINKS: readonly (readonly [path: string, target: string])[] = [
  ["dev/fd", "/proc/self/fd"],
  ["dev/stdin", "/proc/self/fd/0"],
  ["dev/stdout", "/proc/self/fd/1"],
  ["dev/stderr", "/proc/self/fd/2"],
];

const FILE_TYPE = { c: C.S_IFCHR, u: C.S_IFCHR, b: C.S_IFBLK, p: C.S_IFIFO } as const;

/** The default devices and config.json's, which win. */
export function allDevices(devices: readonly Device[]): Device[] {
  const byPath = new Map<string, Device>();
  for (const device of [...DEFAULT_DEVICES, ...devices]) byPath.set(device.path, device);
  return [...byPath.values()];
}

export interface PlannedDevice {
  readonly device: Device;
  /** The host's node, copied as a mount, where mknod(2) is not possible. */
  readonly tree: Slot;
}

export function openHostDevice(program: StageProgram, { device, tree }: PlannedDevice): void {
  const args = [C.AT_FDCWD, program.string(device.path), C.OPEN_TREE_CLONE | C.OPEN_TREE_CLOEXEC];
  program.call(`open the host's ${device.path}`, "open_tree", args, { result: tree });
}

/** Makes the node with mknod(2). */
export function makeDevice(program: StageProgram, root: Slot, device: Device): void {
  const parts = components(device.path);
  const step = `make the device ${device.path}`;
  makeFolders(program, root, parts.slice(0, -1));
  const folder = openInRoot(program, step, root, parts.slice(0, -1).join("/") || ".", C.O_PATH | C.O_DIRECTORY);
  const name = program.string(parts[parts.length - 1]);
  const mode = device.fileMode ?? 0o666;
  const number = device.type === "p" ? 0 : C.deviceNumber(device.major ?? 0, device.minor ?? 0);
  const made = program.slot();
  const args = [folder, name, FILE_TYPE[device.type] | (mode & 0o7777), number];
  program.call(step, "mknodat", args, { result: made, ignore: [C.ERRNO.EEXIST] });
  program.when(made, "equal", 0, () => {
    const owner = [device.uid ?? 0, device.gid ?? 0];
    program.call(step, "fchownat", [folder, name, ...owner, C.AT_SYMLINK_NOFOLLOW]);
  });
  program.call(step, "close", [folder], { ignore: "all" });
}

/** Mounts the host's node on a file. */
export function bindDevice(program: StageProgram, root: Slot, { device, tree }: PlannedDevice): void {
  const step = `mount the device ${device.path}`;
  const target = openTarget(program, root, device.path, "file");
  const empty = program.string("");
  const flags = C.MOVE_MOUNT_F_EMPTY_PATH | C.MOVE_MOUNT_T_EMPTY_PATH;
  program.call(step, "move_mount", [tree, empty, target, empty, flags]);
  program.call(step, "close", [target], { ignore: "all" });
  program.call(step, "close", [tree], { ignore: "all" });
}

/** /dev/fd and its like, and /dev/ptmx of the container's own devpts. */
export function linkDevices(program: StageProgram, root: Slot, { core }: { core: boolean }): void {
  makeFolders(program, root, ["dev"]);
  const links = core ? [...LINKS, ["dev/core", "/proc/kcore"] as const] : LINKS;
  const dev = openInRoot(program, "open /dev", root, "dev", C.O_PATH | C.O_DIRECTORY);
  for (const [path, target] of links) {
    const args = [program.string(target), dev, program.string(path.slice("dev/".length))];
    program.call(`link /${path}`, "symlinkat", args, { ignore: [C.ERRNO.EEXIST] });
  }
  const ptmx = program.string("ptmx");
  program.call("replace /dev/ptmx", "unlinkat", [dev, ptmx, 0], { ignore: [C.ERRNO.ENOENT] });
  program.call("link /dev/ptmx", "symlinkat", [program.string("pts/ptmx"), dev, ptmx], { ignore: [C.ERRNO.EEXIST] });
  program.call("close /dev", "close", [dev], { ignore: "all" });
}
