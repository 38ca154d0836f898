/** HOME of the container's user, by the container's own /etc/passwd: read with care, since a stranger wrote it. */
import { closeSync, constants, fstatSync, lstatSync, openSync, readlinkSync, readSync } from "node:fs";
import { join } from "node:path";

const MAX_LINKS = 40;
const MAX_SIZE = 1 << 20;

/** The host's path of `path` inside `root`, with symbolic links taken as the container would; null where one is missing. */
export function resolveInRoot(root: string, path: string): string | null {
  const rest = path.split("/").filter((part) => part !== "" && part !== ".");
  let done: string[] = [];
  let links = 0;
  while (rest.length > 0) {
    const part = rest.shift() as string;
    if (part === "..") {
      done.pop();
      continue;
    }
    const here = join(root, ...done, part);
    const status = lstatSync(here, { throwIfNoEntry: false });
    if (status === undefined) return null;
    if (!status.isSymbolicLink()) {
      done.push(part);
      continue;
    }
    if (++links > MAX_LINKS) return null;
    const target = readlinkSync(here);
    if (target.startsWith("/")) done = [];
    rest.unshift(...target.split("/").filter((one) => one !== "" && one !== "."));
  }
  return join(root, ...done);
}

function readText(file: string): string {
  const fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    if (!fstatSync(fd).isFile()) return "";
    const buffer = Buffer.alloc(MAX_SIZE);
    return buffer.toString("latin1", 0, readSync(fd, buffer, 0, MAX_SIZE, 0));
  } finally {
    closeSync(fd);
  }
}

/** `/` where nothing says otherwise, as runc has it. */
export function homeOf(root: string, uid: number): string {
  try {
    const file = resolveInRoot(root, "/etc/passwd");
    if (file === null) return "/";
    for (const line of readText(file).split("\n")) {
      const fields = line.split(":");
      if (fields.length >= 6 && fields[2] === String(uid)) return fields[5] || "/";
    }
  } catch {
    // Unreadable is as good as not there.
  }
  return "/";
}

/** The environment with HOME, where it has none. */
export function withHome(env: readonly string[], root: string, uid: number): string[] {
  return env.some((entry) => entry.startsWith("HOME=")) ? [...env] : [...env, `HOME=${homeOf(root, uid)}`];
}
