/** Paths inside a container's root file system, which belongs to a stranger: no symbolic link leads out of it. */
import * as C from "../stage/constants.js";
import type { Slot, StageProgram } from "../stage/program.js";

const HOW_SIZE = 24;

/** openat2(2) with resolution confined to `root`. */
export function openInRoot(
  program: StageProgram,
  step: string,
  root: Slot,
  path: string,
  flags: number,
  {
    ignore,
    resolve = 0,
    result = program.slot(),
  }: { ignore?: readonly number[]; resolve?: number; result?: Slot } = {},
): Slot {
  const how = program.words([flags | C.O_CLOEXEC, 0, C.RESOLVE_IN_ROOT | resolve]);
  program.call(step, "openat2", [root, program.string(path), how, HOW_SIZE], { result, ignore });
  return result;
}

/** The components of an absolute or relative path, without "." and with ".." taken as text. */
export function components(path: string): string[] {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return parts;
}

/** Makes the folders of `path`, as far as they are missing. */
export function makeFolders(program: StageProgram, root: Slot, parts: readonly string[], ignore: number[] = []): void {
  parts.forEach((part, index) => {
    const parent = parts.slice(0, index).join("/") || ".";
    const step = `make ${parts.slice(0, index + 1).join("/")} in the root file system`;
    const folder = openInRoot(program, step, root, parent, C.O_PATH | C.O_DIRECTORY);
    program.call(step, "mkdirat", [folder, program.string(part), 0o755], { ignore: [C.ERRNO.EEXIST, ...ignore] });
    program.call(step, "close", [folder], { ignore: "all" });
  });
}

/** Opens `path` with O_PATH to mount something there, and makes it first where it is missing. */
export function openTarget(
  program: StageProgram,
  root: Slot,
  path: string,
  kind: "folder" | "file",
  resolve = 0,
): Slot {
  const parts = components(path);
  const inside = parts.join("/") || ".";
  const step = `open ${path} in the root file system`;
  const flags = C.O_PATH | (kind === "folder" ? C.O_DIRECTORY : 0);
  const target = openInRoot(program, step, root, inside, flags, { resolve, ignore: [C.ERRNO.ENOENT] });
  program.when(target, "equal", -C.ERRNO.ENOENT, () => {
    makeFolders(program, root, kind === "folder" ? parts : parts.slice(0, -1));
    if (kind === "file") {
      const folder = openInRoot(program, step, root, parts.slice(0, -1).join("/") || ".", C.O_PATH | C.O_DIRECTORY);
      const file = program.slot();
      const name = program.string(parts[parts.length - 1]);
      const create = C.O_CREAT | C.O_NOFOLLOW | C.O_CLOEXEC | C.O_RDONLY;
      program.call(step, "openat", [folder, name, create, 0o755], { result: file });
      program.call(step, "close", [file], { ignore: "all" });
      program.call(step, "close", [folder], { ignore: "all" });
    }
    openInRoot(program, step, root, inside, flags, { resolve, result: target });
  });
  return target;
}
