/** What probes see of the host: files, this process, a few commands. Tests put an invented host in its place. */
import { spawnSync } from "node:child_process";
import { accessSync, closeSync, constants, openSync, readdirSync, readSync, statSync } from "node:fs";

export type FileKind = "file" | "folder" | "character-device" | "other";

export interface FileStatus {
  kind: FileKind;
  /** Permission bits, as in 0o660. */
  mode: number;
  uid: number;
  gid: number;
}

export interface HostProcess {
  /** As `process.platform` and `process.arch` have them. */
  platform: string;
  arch: string;
  uid: number;
  gid: number;
  /** Supplementary groups. */
  groups: readonly number[];
  nodeVersion: string;
  v8Version: string;
  /** The value of PATH. */
  path: string;
}

export interface HostView {
  readonly process: HostProcess;
  /** The beginning of a file, or null where it cannot be read. */
  readText(path: string): string | null;
  /** Names in a folder, or null where it cannot be listed. */
  list(path: string): string[] | null;
  /** Follows symbolic links; null where there is no such file. */
  status(path: string): FileStatus | null;
  /** Whether this process may write there, by permissions, mount flags and capabilities. */
  isWritable(path: string): boolean;
  /** Opens for reading and writing, and closes again: null, or the system's error code ("EACCES"). */
  tryOpen(path: string): string | null;
  /** Runs a command without input: its exit code and error output, or null where it cannot be run. */
  run(command: string, args: readonly string[]): { code: number; stderr: string } | null;
}

/** Files of /proc repeat themselves for each CPU; what probes look for stands at the beginning. */
const READ_LIMIT = 1 << 16;
const COMMAND_TIMEOUT_MS = 10_000;

/** The host under this process. */
export const hostView: HostView = {
  get process() {
    return {
      platform: process.platform,
      arch: process.arch,
      uid: process.geteuid?.() ?? 0,
      gid: process.getegid?.() ?? 0,
      groups: process.getgroups?.() ?? [],
      nodeVersion: process.versions.node,
      v8Version: process.versions.v8,
      path: process.env.PATH ?? "",
    };
  },
  readText(path) {
    return attempt(() => {
      const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
      try {
        const bytes = Buffer.alloc(READ_LIMIT);
        let length = 0;
        while (length < READ_LIMIT) {
          const count = readSync(file, bytes, length, READ_LIMIT - length, null);
          if (count === 0) break;
          length += count;
        }
        return bytes.toString("utf8", 0, length);
      } finally {
        closeSync(file);
      }
    });
  },
  list: (path) => attempt(() => readdirSync(path)),
  status: (path) =>
    attempt(() => {
      const found = statSync(path);
      const kind: FileKind = found.isFile()
        ? "file"
        : found.isDirectory()
          ? "folder"
          : found.isCharacterDevice()
            ? "character-device"
            : "other";
      return { kind, mode: found.mode & 0o7777, uid: found.uid, gid: found.gid };
    }),
  isWritable: (path) => attempt(() => accessSync(path, constants.W_OK) ?? true) !== null,
  tryOpen(path) {
    try {
      closeSync(openSync(path, "r+"));
      return null;
    } catch (error) {
      return (error as NodeJS.ErrnoException).code ?? "EIO";
    }
  },
  run(command, args) {
    const { status, stderr } = spawnSync(command, args, {
      stdio: ["ignore", "ignore", "pipe"],
      encoding: "utf8",
      timeout: COMMAND_TIMEOUT_MS,
    });
    return status === null ? null : { code: status, stderr: stderr.trim() };
  },
};

function attempt<Result>(action: () => Result): Result | null {
  try {
    return action();
  } catch {
    return null;
  }
}
